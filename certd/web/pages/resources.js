// SPDX-License-Identifier: Apache-2.0
//
// Resources: what is delivered under which host names, and by which
// certificates.

import { accountColumn, accountFilters, objectFilters } from '../lib/account.js';
import { linkButton } from '../lib/button.js';
import { edgeGroupsOf, loadChoices } from '../lib/choices.js';
import { h } from '../lib/dom.js';
import { daysLeft, some, when } from '../lib/format.js';
import { page } from '../lib/layout.js';
import { httpsBadge, modeText, warningText } from '../lib/resource/modes.js';
import { href } from '../lib/router.js';
import { expiryMark } from '../lib/status.js';
import { listView } from '../lib/table.js';

export const title = 'Resources';

function nameCell(resource) {
	return [h('a', { href: href(`/resources/${resource.id}`) }, resource.name), h('span.under', some(resource.hostnames, 2) || resource.target)];
}

function httpsCell(resource) {
	return h('div.stack-s', h('span', httpsBadge(resource)), resource.warnings.length ? h('span.under.clamp', { title: resource.warnings.join('\n') }, resource.warnings.map(warningText).join(' ')) : null);
}

function certificateCell(resource) {
	if (!resource.certificates.length)
		return h('span.quiet', 'None');
	return h('ul.plain', resource.certificates.map(each => h('li', h('a', { href: href(`/certificates/${each.id}`) }, each.name),
		h('span.under.marked', h('span', 'until ', when(each.not_after_s, 'date')), expiryMark(daysLeft(each.not_after_s))))));
}

async function filters(ctx) {
	const [accounts, choices] = await Promise.all([accountFilters(ctx), loadChoices(ctx)]);
	const list = [...accounts, ...objectFilters(ctx, 'certificate', 'Certificate')];
	const groups = edgeGroupsOf(choices);
	return groups.length < 2 ? list : [...list, { name: 'edge_group', label: 'Edge group', options: [['', 'All edge groups'], ...groups.map(each => [each, each])] }];
}

export async function render(ctx) {
	const add = () => linkButton('Create a resource', '/resources/new', { kind: 'primary', icon: 'plus' });
	const may = ctx.session.mayChange;
	return page({ title, lead: 'What edges deliver: host names, where their pages come from, and the certificates that they are served with.', actions: may ? [add()] : null }, listView(ctx, {
		caption: title, one: 'resource', search: 'Name or host name', order: '-id', topics: ['resources', 'certificates', 'changes'],
		filters: await filters(ctx), path: resource => `/resources/${resource.id}`,
		load: query => ctx.api.list('/resources', 'resources', query),
		columns: [
			{ label: 'Name', sort: 'name', class: 'main', cell: nameCell },
			{ label: 'HTTPS', class: 'wide', cell: httpsCell },
			{ label: 'Certificate', cell: certificateCell },
			{ label: 'Mode', class: 'fit', cell: resource => modeText(resource.mode) },
			accountColumn(ctx),
			{ label: 'Id', sort: 'id', desc: true, class: 'fit num', cell: resource => resource.id },
		].filter(Boolean),
		empty: { icon: 'resource', title: 'No resources yet',
			text: 'A resource names host names, where their pages come from, and how they come to a certificate. Once its DNS leads to the edges, they serve it.',
			actions: may ? [add(), linkButton('Add a certificate first', '/certificates/new', { icon: 'certificate' })] : null },
	}));
}
