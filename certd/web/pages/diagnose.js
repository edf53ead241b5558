// SPDX-License-Identifier: Apache-2.0
//
// Diagnose: what is the matter with a host name, as one ordered checklist from
// its DNS to what every edge serves for it.

import { accountColumn, accountFilters } from '../lib/account.js';
import { busy } from '../lib/button.js';
import { checklist, severalNames, verdict } from '../lib/diagnosis/findings.js';
import { h, icon, mount } from '../lib/dom.js';
import { field } from '../lib/field.js';
import { duration, when } from '../lib/format.js';
import { card, page, problemNote, skeleton } from '../lib/layout.js';
import { href } from '../lib/router.js';
import { badge, note } from '../lib/status.js';
import { listView } from '../lib/table.js';
import { toast } from '../lib/toast.js';

export const title = 'Diagnose';

/* ---- one report ---- */

function factsOf(diagnosis) {
	return h('p.small.quiet', 'Looked at ', when(diagnosis.at_s), `, in ${diagnosis.took_ms < 1000 ? `${diagnosis.took_ms} ms` : duration(diagnosis.took_ms / 1000)}`,
		diagnosis.resource ? [', for ', h('a', { href: href(`/resources/${diagnosis.resource}`) }, `resource ${diagnosis.resource}`)] : null,
		diagnosis.change ? [', before ', h('a', { href: href(`/changes/${diagnosis.change}`) }, `change ${diagnosis.change}`)] : null, '.');
}

async function drawReport(ctx, diagnosis) {
	const resource = diagnosis.resource ? await ctx.api.get(`/resources/${diagnosis.resource}`).catch(() => null) : null;
	const title = severalNames(diagnosis) ? resource?.name : diagnosis.hostname;
	return h('div.stack', verdict(diagnosis), card({ title: title || diagnosis.hostname || 'Report', flush: true, text: factsOf(diagnosis) },
		checklist(diagnosis, { resource, mayChange: ctx.session.mayChange })));
}

/* ---- the field ---- */

class Diagnosing {
	constructor(ctx) {
		this.ctx = ctx;
		this.report = h('div', { 'aria-live': 'polite' });
		this.input = field({ name: 'hostname', label: 'Host name', mono: true, value: ctx.query.hostname || '', placeholder: 'www.example.com', autocomplete: 'off',
			attributes: { autocapitalize: 'off', inputmode: 'url' }, help: 'Any name, also one that no resource has yet.' });
		this.submit = h('button.button.primary', { type: 'submit' }, icon('diagnose'), 'Diagnose');
		this.node = h('form.ask', { noValidate: true, on: { submit: event => {
			event.preventDefault();
			this.ask();
		} } }, this.input, this.submit);
	}

	ask() {
		const hostname = this.input.value;
		if (!hostname) {
			this.input.setError('Give a host name.');
			this.input.focus();
			return;
		}
		busy(this.submit, () => this.run({ hostname }));
	}

	async run(what) {
		mount(this.report, card({ title: 'Looking' }, h('p.quiet', 'DNS, certificate, web server, origin, every edge: this takes seconds.'), skeleton(5)));
		try {
			const diagnosis = await this.ctx.api.post('/diagnoses', what);
			this.ctx.setQuery({ hostname: what.hostname || '', resource: '', id: diagnosis.id });
			await this.show(diagnosis);
			this.list?.refresh();
		} catch (problem) {
			if (problem.name === 'AbortError')
				return;
			mount(this.report);
			if (what.hostname && problem.status === 400)
				this.input.setError(problem.detail);
			else
				mount(this.report, problemNote(problem));
		}
	}

	async show(diagnosis) {
		mount(this.report, await drawReport(this.ctx, diagnosis));
		toast.say(diagnosis.passed ? 'Looked at: nothing failed.' : `Looked at: ${diagnosis.summary}`);
	}

	/* What the address asks for. */
	async begin() {
		const { id, resource, hostname } = this.ctx.query;
		if (id) {
			const diagnosis = await this.ctx.api.get(`/diagnoses/${encodeURIComponent(id)}`);
			if (!hostname)
				this.input.value = diagnosis.hostname;
			await this.show(diagnosis);
		} else if (this.ctx.session.mayChange && (resource || hostname)) {
			this.run(resource ? { resource: Number(resource) } : { hostname });
		}
	}
}

async function earlier(ctx) {
	return listView(ctx, {
		caption: 'Earlier diagnoses', one: 'diagnosis', many: 'diagnoses', filters: await accountFilters(ctx), search: 'Host name, all of it',
		load: ({ search, ...query }) => ctx.api.list('/diagnoses', 'diagnoses', { ...query, hostname: search }), path: each => `/diagnose?id=${each.id}`,
		columns: [
			{ label: 'Host name', class: 'main', cell: each => [h('a', { href: href(`/diagnose?id=${each.id}`) }, each.hostname || `Resource ${each.resource}`), each.change ? h('span.under', `before change ${each.change}`) : null] },
			{ label: 'Result', class: 'wide', cell: each => h('div.stack-s', h('span', each.passed ? badge('good', 'Nothing failed') : badge('bad', 'Failed')), each.passed ? null : h('span.under.clamp', { title: each.summary }, each.summary)) },
			accountColumn(ctx),
			{ label: 'When', class: 'fit', cell: each => when(each.at_s, 'both') },
		].filter(Boolean),
		empty: { icon: 'diagnose', title: 'Nothing was looked at yet', text: 'Give a host name above. The same checks are made before each change, and are listed here too.' },
	});
}

export async function render(ctx) {
	const asking = new Diagnosing(ctx);
	const may = ctx.session.mayChange;
	asking.list = await earlier(ctx);
	await asking.begin();
	return page({ title, lead: 'One checklist, from the DNS of a host name to what every edge serves for it: what was seen, and how to mend it.' },
		h('div.stack', may ? card({}, asking) : ctx.query.id ? null : note('info', 'To look anew takes an administrator or an engineer of the account. What was looked at before stands below.'),
			asking.report, h('h2', 'Earlier'), asking.list));
}
