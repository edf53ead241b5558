// SPDX-License-Identifier: Apache-2.0
//
// The DNS of a resource: the record for each host name, and whether it is
// there. Looks by itself when the resource is new, and again as long as a
// certificate waits for it.

import { button, linkButton } from '../button.js';
import { codeBlock, copyable } from '../copy.js';
import { h, icon, mount } from '../dom.js';
import { now, when } from '../format.js';
import { problemNote } from '../layout.js';
import { badge } from '../status.js';
import { isObtained } from './modes.js';
import { cnameOf, troublesOf } from './names.js';

const AGAIN_MS = 20000;
const AGAIN_MOST = 30;
const NEW_S = 1800;

function verdictOf(troubles) {
	if (!troubles)
		return badge('neutral', 'Not looked at yet');
	if (!troubles.length)
		return badge('good', 'Leads to the edges');
	return troubles[0].result === 'fail' ? badge('bad', 'Not ready') : badge('notice', 'Works, with a warning');
}

function troubleOf(finding) {
	const [symbol, ink] = finding.result === 'fail' ? ['bad', 'ink-bad'] : ['notice_mark', 'ink-notice'];
	return h('div.wrong', icon(symbol, { class: ink, label: finding.result === 'fail' ? 'Failed' : 'Warning' }),
		h('div', h('div', finding.seen), finding.why ? h('div.quiet', finding.why) : null, finding.remedy ? h('div', h('strong', 'To mend it: '), finding.remedy) : null));
}

function hostOf(resource, hostname, troubles) {
	const is_target = hostname === resource.target;
	return h('li', h('div.head', h('h3', hostname), verdictOf(troubles)),
		is_target ? h('p.small.quiet', 'It is the target itself, in the operator\'s zone: nothing has to be put into the DNS.')
			: resource.target ? codeBlock(cnameOf(hostname, resource.target), { label: `Record of ${hostname}` }) : null,
		troubles?.map(troubleOf));
}

/* ---- looking ---- */

class Preflight {
	#asked = 0;
	#diagnosis = null;
	#problem = null;

	constructor(ctx, state) {
		this.ctx = ctx;
		this.state = state;
		this.list = h('div', { 'aria-live': 'polite' });
		this.foot = h('div.row');
		this.node = h('div.stack', this.list, this.foot);
		this.draw();
	}

	get resource() {
		return this.state.resource;
	}

	draw() {
		const { resource } = this;
		const troubles = this.#diagnosis ? troublesOf(resource.hostnames, this.#diagnosis.findings) : null;
		mount(this.list, this.#problem ? problemNote(this.#problem) : null,
			h('ul.hosts', resource.hostnames.map(each => hostOf(resource, each, troubles?.get(each)))));
		const seen = this.#diagnosis;
		mount(this.foot, this.ctx.session.mayChange ? button('Look now', { icon: 'retry', small: true, run: () => this.look() }) : null,
			seen ? [linkButton('Whole report', `/diagnose?id=${seen.id}`, { icon: 'diagnose', small: true }), h('span.small.quiet', 'Looked at ', when(seen.at_s, 'time'))] : null);
	}

	async look() {
		try {
			this.#diagnosis = await this.ctx.api.post('/diagnoses', { resource: this.resource.id });
			this.#problem = null;
		} catch (problem) {
			if (problem.name === 'AbortError')
				return;
			this.#problem = problem;
		}
		this.draw();
	}

	/* While a certificate is waited for. */
	get #waits() {
		const { resource } = this;
		return this.ctx.session.mayChange && isObtained(resource) && !resource.certificates.length;
	}

	async follow() {
		const is_new = now() - this.resource.created_s < NEW_S;
		if (!this.#waits && !(is_new && this.ctx.session.mayChange))
			return;
		await this.look();
		if (!this.#waits)
			return;
		const timer = setInterval(() => {
			this.#asked += 1;
			if (!this.#waits || this.#problem || this.#asked > AGAIN_MOST)
				clearInterval(timer);
			else if (!document.hidden)
				this.look();
		}, AGAIN_MS);
		this.ctx.signal.addEventListener('abort', () => clearInterval(timer), { once: true });
	}
}

/** The target, to be copied. @param {Object} resource */
export function targetOf(resource) {
	return resource.target ? copyable(resource.target, { label: 'the target', whole: true })
		: h('span.quiet', 'None: the operator has configured no zone');
}

/**
 * @param {Object} ctx @param {import('./acts.js').State} state kept as it is now by the page
 * @returns {{node: HTMLElement, draw: function(): void}}
 */
export function preflight(ctx, state) {
	const self = new Preflight(ctx, state);
	self.follow();
	return self;
}
