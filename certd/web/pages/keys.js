// SPDX-License-Identifier: Apache-2.0
//
// Keys: what keyd keeps in its tokens, and what each key is used for.

import { accountColumn, accountFilters } from '../lib/account.js';
import { h } from '../lib/dom.js';
import { when, word } from '../lib/format.js';
import { keyBadge, keyTitle, originBadge, useLink } from '../lib/keys.js';
import { page } from '../lib/layout.js';
import { href } from '../lib/router.js';
import { listView } from '../lib/table.js';

export const title = 'Keys';

const USES_SHOWN = 2;

function nameCell(kept) {
	return [h('a', { href: href(`/keys/${kept.id}`) }, keyTitle(kept)), h('span.under', h('code', { title: kept.key.label }, kept.id.slice(0, 16)))];
}

function usesCell(kept) {
	const uses = kept.uses || [];
	if (!uses.length)
		return h('span.quiet', kept.key.owner || 'Nothing that certd knows');
	return h('ul.plain', uses.slice(0, USES_SHOWN).map(each => h('li', useLink(each))), uses.length > USES_SHOWN ? h('li.quiet', `and ${uses.length - USES_SHOWN} more`) : null);
}

function custodyCell({ key }) {
	/* That it is in use is the rule. */
	const is_apart = key.state !== 'active';
	return [originBadge(key), is_apart ? h('span.under.marked', keyBadge(key), key.state === 'scheduled' ? when(key.destroy_at_s, 'relative') : null) : null];
}

export async function render(ctx) {
	return page({ title, lead: 'Each private key is inside a token, which signs with it and gives it to nobody.' }, listView(ctx, {
		caption: title, one: 'key', filters: await accountFilters(ctx), topics: ['keys', 'certificates'],
		load: query => ctx.api.list('/keys', 'keys', query), path: kept => `/keys/${kept.id}`,
		columns: [
			{ label: 'Key', class: 'main', cell: nameCell },
			{ label: 'Used for', cell: usesCell },
			{ label: 'Kind', class: 'fit', cell: ({ key }) => [word(key.algorithm), key.pool ? h('span.under', key.pool) : null] },
			{ label: 'Custody', class: 'fit', cell: custodyCell },
			accountColumn(ctx),
			{ label: 'Since', class: 'fit', cell: ({ key }) => when(key.created_s, 'date') },
		].filter(Boolean),
		empty: { icon: 'key', title: 'No keys yet', text: 'A key is made in the token when a certificate is requested or enrolled, and comes into it, wrapped, when you add a certificate with its key.' },
	}));
}
