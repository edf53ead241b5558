// SPDX-License-Identifier: Apache-2.0
//
// Certificate requests: keys that were made in the token for certificates that
// are bought elsewhere.

import { accountColumn, accountFilters } from '../lib/account.js';
import { keyName } from '../lib/certificate/words.js';
import { linkButton } from '../lib/button.js';
import { h } from '../lib/dom.js';
import { some, when } from '../lib/format.js';
import { page } from '../lib/layout.js';
import { href } from '../lib/router.js';
import { badge } from '../lib/status.js';
import { listView } from '../lib/table.js';

export const title = 'Certificate requests';

function stateCell(request) {
	return request.certificate ? h('span.row', badge('good', 'Attached'), h('a', { href: href(`/certificates/${request.certificate}`) }, `Certificate ${request.certificate}`))
		: badge('notice', 'Awaits its certificate', 'waiting');
}

function columns(ctx) {
	return [
		{ label: 'Name', class: 'main', cell: each => [h('a', { href: href(`/requests/${each.id}`) }, each.name), h('span.under', some(each.hostnames.filter(name => name !== each.name), 3))] },
		{ label: 'State', cell: stateCell },
		{ label: 'Key', class: 'fit', cell: each => keyName(each.key?.algorithm) },
		accountColumn(ctx),
		{ label: 'Made', class: 'fit', cell: each => when(each.created_s, 'both') },
	].filter(Boolean);
}

export async function render(ctx) {
	const add = () => linkButton('Request a certificate', '/requests/new', { kind: 'primary', icon: 'plus' });
	const may = ctx.session.mayChange;
	return page({ title, lead: 'For certificates that you buy elsewhere. The key is made in the token and never leaves it; the CA gets the request (CSR) for it.', actions: may ? [add()] : null },
		listView(ctx, {
			caption: title, one: 'request', filters: await accountFilters(ctx), columns: columns(ctx), path: each => `/requests/${each.id}`, topics: ['certificates'],
			load: query => ctx.api.list('/certificate-requests', 'requests', { account: query.account, page_size: query.page_size, page_token: query.page_token }),
			empty: { icon: 'request', title: 'No requests yet', text: 'A request is the safest way to a certificate that you buy: its private key is made in the token, so there is no file that could be lost or copied.',
				actions: may ? [add()] : null },
		}));
}
