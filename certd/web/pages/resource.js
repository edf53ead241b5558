// SPDX-License-Identifier: Apache-2.0
//
// One resource: its certificate and how it comes to it, what its DNS must say
// and says, and how far edges have come.

import { changeLink, changePanel } from '../lib/change/panel.js';
import { hasEnded } from '../lib/change/steps.js';
import { changeHeading, kindText, stateText } from '../lib/change/words.js';
import { button, linkButton } from '../lib/button.js';
import { h, mount } from '../lib/dom.js';
import { when, word } from '../lib/format.js';
import { actorText, historyCard } from '../lib/history.js';
import { card, details, loaded, page } from '../lib/layout.js';
import { moreMenu } from '../lib/menu.js';
import { deleteResource, mayTurnOn, setHttps } from '../lib/resource/acts.js';
import { certificatesOf } from '../lib/resource/certificates.js';
import { editDelivery, editHostnames, editMode, editName } from '../lib/resource/edit.js';
import { MODES, httpsBadge, modeText, warningText } from '../lib/resource/modes.js';
import { preflight, targetOf } from '../lib/resource/preflight.js';
import { href } from '../lib/router.js';
import { note, progress, stateBadge } from '../lib/status.js';

export const title = 'Resource';

const CHANGES_SHOWN = 5;

/* ---- as it is now ---- */

/* A change of long ago may be gone. */
const ifThere = asked => asked.catch(problem => {
	if (problem.status === 404)
		return null;
	throw problem;
});

async function load(ctx, id) {
	const resource = await ctx.api.get(`/resources/${id}`);
	const [enrollment, change] = await Promise.all([
		resource.enrollment ? ifThere(ctx.api.get(`/enrollments/${resource.enrollment}`)) : null,
		resource.change ? ifThere(ctx.api.get(`/changes/${resource.change}`)) : null,
	]);
	return { resource, enrollment, change };
}

/* Several parts ask at once; one question answers all. */
function together(run) {
	let asked = null;
	return () => {
		asked ||= run().finally(() => { asked = null; });
		return asked;
	};
}

/* ---- its parts ---- */

/* What a change under way, or the last one, has met is said beside its steps. */
const OF_CHANGE = /^(a certificate is being obtained|the last attempt at it failed)/;

function warnings({ resource, change }) {
	const told = change?.problem && !resource.certificates.length ? change.problem : null;
	const list = [resource.permission_trouble ? note('bad', 'keyd could not be told yet.', { text: resource.permission_trouble }) : null,
		...resource.warnings.filter(each => !OF_CHANGE.test(each) && !(told && each.includes(told))).map(each => note('notice', warningText(each))),
		resource.acme_problem && !resource.warnings.some(each => each.includes(resource.acme_problem)) ? note('notice', 'Of its certificate by ACME:', { text: resource.acme_problem }) : null].filter(Boolean);
	return list.length ? h('div.stack-s', list) : null;
}

function edges({ resource }) {
	const now = resource.convergence;
	const changed = h('p.small.quiet', 'Last change ', when(resource.changed_s, 'relative'), `, version ${resource.version}.`);
	if (!now?.edges)
		return h('div.stack-s', note('notice', `No edge of group ${resource.edge_group} is live: nobody serves it.`), changed);
	const is_seen = resource.https && resource.certificates.length > 0;
	const said = !is_seen ? 'Without a certificate there is nothing to compare.' : now.percent === 100 ? 'Every live edge was connected to and compared.'
		: 'Each is connected to and compared with what is bound; a certificate that was replaced can be deleted when all have followed.';
	return h('div.stack', progress(now.percent, { label: is_seen ? 'Seen serving what is bound' : 'Have followed', text: `${now.percent} %` }),
		details([['Edges live', String(now.edges)], ['Have the files', `${now.applied} of ${now.edges}`], is_seen ? ['Seen serving it', `${now.served} of ${now.edges}`] : null]),
		h('p.small.quiet', said), changed);
}

function delivery({ resource }) {
	return details([
		['Origin', resource.origin ? h('div', h('code', resource.origin.host), h('div.small.quiet', { match: 'As the client came', https: 'By HTTPS', http: 'By HTTP' }[resource.origin.mode] || word(resource.origin.mode))) : h('span.quiet', 'None is named')],
		['Network', word(resource.network)],
		['Edge group', resource.edge_group],
		['Created', h('span', when(resource.created_s), ' by ', actorText(resource.created_by))],
	]);
}

function changeRow(change) {
	return h('li', h('div', h('a', { href: href(`/changes/${change.id}`) }, kindText(change)), h('span.under', stateBadge(change.state, stateText(change.state)))), when(change.created_s, 'relative'));
}

function changesCard(ctx, id) {
	return card({ title: 'Changes' }, loaded(ctx, { lines: 3, topics: 'changes', load: () => ctx.api.list('/changes', 'changes', { resource: id, page_size: CHANGES_SHOWN }),
		draw: ({ items, next }) => items.length ? h('div.stack', h('ol.plain.events', items.map(changeRow)), next ? h('p.small', h('a', { href: href(`/changes?resource=${id}`) }, 'All of them')) : null)
			: h('p.small.quiet', 'None: no certificate was obtained for it by ACME.') }));
}

/* ---- the change under way, or the one that failed ---- */

class ChangeSlot {
	node = h('div.slot');
	#id = 0;
	#title = '';

	constructor(ctx, refresh) {
		this.ctx = ctx;
		this.refresh = refresh;
	}

	show({ resource, change }) {
		const is_shown = change && (!hasEnded(change) || (change.state !== 'done' && !resource.certificates.length) || change.id === this.#id);
		const id = is_shown ? change.id : 0;
		const heading = is_shown ? changeHeading(change) : '';
		if (id === this.#id && heading === this.#title)
			return;
		this.#id = id;
		this.#title = heading;
		mount(this.node, id ? card({ title: heading, actions: changeLink(id) }, changePanel(this.ctx, { id, onEnd: this.refresh })) : null);
	}
}

/* ---- the page ---- */

function acts(ctx, state, refresh) {
	if (!ctx.session.mayChange)
		return [];
	const after = run => async () => {
		await run(ctx, state);
		if (!ctx.signal.aborted)
			await refresh();
	};
	const rename = async () => {
		if (await editName(ctx, state))
			await ctx.reload();
	};
	return [button('Change host names', { icon: 'edit', run: after(editHostnames) }), moreMenu(`Acts on ${state.resource.name}`, [
		{ label: 'Rename', icon: 'edit', run: rename },
		{ label: 'Change origin and edge group', icon: 'edge', run: after(editDelivery) },
		{ label: 'Change mode', icon: 'swap', run: after(editMode) },
		state.resource.https || mayTurnOn(state.resource) ? { label: state.resource.https ? 'Turn HTTPS off' : 'Turn HTTPS on', icon: 'lock', run: after(setHttps) } : null, '-',
		{ label: 'Delete', icon: 'remove', danger: true, run: after(deleteResource) }])];
}

export async function render(ctx) {
	const { id } = ctx.params;
	const fetch = together(() => load(ctx, id));
	const state = await fetch();
	const { resource } = state;
	const marks = h('span.row');
	const tools = h('div.actions');
	const refresh = async () => {
		await Promise.all(shown.map(each => each.refresh()));
	};
	const slot = new ChangeSlot(ctx, () => refresh());
	const take = async () => {
		Object.assign(state, await fetch());
		show();
		return { ...state };
	};
	let shown_as = null;
	const show = () => {
		const now = state.resource;
		const before = shown_as;
		shown_as = now;
		mount(marks, httpsBadge(now));
		slot.show(state);
		if (before && before.hostnames.join() !== now.hostnames.join())
			dns.hostnamesChanged();
		if (before?.https !== now.https)
			mount(tools, acts(ctx, state, refresh));
	};
	const part = (draw, lines) => loaded(ctx, { lines, topics: ['resources', 'certificates', 'changes', 'enrollments', 'edges'], load: take, draw });
	const dns = preflight(ctx, state);
	show();
	ctx.setTitle(resource.name);
	const may = ctx.session.mayChange;
	const shown = [part(now => warnings(now), 1), part(now => certificatesOf(ctx, now, refresh), 4), part(edges, 3), part(delivery, 4), part(now => h('p.small.quiet', modeHelp(now.resource)), 1)];
	const change = (label, run) => may ? [button(label, { small: true, icon: 'edit', run: async () => { await run(ctx, state); await refresh(); } })] : null;
	return page({ title: resource.name, badge: marks, crumbs: [['Resources', '/resources']], lead: ctx.session.seesAll ? `Of account ${resource.account}` : null,
		actions: may ? [linkButton('Diagnose', `/diagnose?resource=${id}`, { icon: 'diagnose' }), tools] : null },
	h('div.split', h('div.stack', shown[0],
		card({ title: 'Certificate', actions: change('Change mode', editMode) }, h('div.stack', shown[4], shown[1])),
		slot, card({ title: 'Host names and DNS', text: ['Each host name is a CNAME to ', targetOf(resource)] }, dns)),
	h('div.stack', card({ title: 'Edges' }, shown[2]), card({ title: 'Delivery', actions: change('Change', editDelivery) }, shown[3]), changesCard(ctx, id), historyCard(ctx, `resource ${id}`, resource.account))));
}

function modeHelp(resource) {
	if (!resource.https && !resource.certificates.length)
		return [h('strong', 'No HTTPS. '), resource.mode === 'personal' ? 'A certificate that is bound turns it on; another mode can, too.' : `Turned on, it comes to its certificate by mode ${modeText(resource.mode)}.`];
	const mode = MODES.find(each => each.value === resource.mode);
	return [h('strong', `${modeText(resource.mode)}. `), mode?.help];
}
