// SPDX-License-Identifier: Apache-2.0
//
// Create a resource: its host names, how it comes to its certificate, and
// where its pages come from.

import { accountField } from '../lib/certificate/where.js';
import { edgeGroupField, loadChoices, networkField } from '../lib/choices.js';
import { h, mount } from '../lib/dom.js';
import { field, form, more } from '../lib/form.js';
import { card, page } from '../lib/layout.js';
import { covering } from '../lib/resource/acts.js';
import { certificatesField } from '../lib/resource/choose.js';
import { hostnamesField, nameField, originFields, originOf } from '../lib/resource/fields.js';
import { MODES, PLAIN } from '../lib/resource/modes.js';
import { note, steps } from '../lib/status.js';
import { toast } from '../lib/toast.js';

export const title = 'Create a resource';

const MODE_OPTIONS = MODES.map(each => each.value === 'automatic' ? { ...each, label: 'Automatic (recommended)' } : each);

class Creating {
	constructor(ctx, choices) {
		this.ctx = ctx;
		this.choices = choices;
	}

	async start() {
		this.account = await accountField(this.ctx, this.ctx.query.account, () => this.offer());
		this.name = nameField();
		this.hostnames = hostnamesField([], () => this.offer());
		this.mode = field({ name: 'mode', label: 'How it comes to its certificate', type: 'choice', required: true, value: 'automatic', options: [...MODE_OPTIONS, PLAIN], onInput: () => this.modeChanged() });
		this.network = networkField(this.choices, 'standard', () => this.networkChanged(), 'Where its keys are, and which edges may serve it. Standard suits most; it cannot be changed later.');
		this.group = edgeGroupField(this.choices, 'standard');
		this.origin = originFields(null);
		this.certificates = certificatesField({ load: () => covering(this.ctx, { account: this.account?.value, network: this.network.value, hostnames: this.hostnames.value }),
			waits: () => this.account && !this.account.value ? 'Choose the account first.' : this.hostnames.value.length ? '' : 'Give the host names first: only certificates that cover them can be chosen.' });
		this.ahead = h('div.changes-ahead', { 'aria-live': 'polite' });
		this.modeChanged();
	}

	offer() {
		if (this.mode.value === 'personal')
			this.certificates.again();
	}

	networkChanged() {
		this.group.again(this.network.value);
		this.offer();
	}

	modeChanged() {
		const mode = this.mode.value;
		this.certificates.node.hidden = mode !== 'personal';
		mount(this.ahead, mode === PLAIN.value ? note('notice', 'Plain HTTP is not recommended.', { text: 'Browsers mark such a site as not secure. The resource is marked here, too, until it has a certificate.' }) : null);
		this.offer();
	}

	async send(values) {
		const is_plain = values.mode === PLAIN.value;
		const { resource, notes } = await this.ctx.api.post('/resources', {
			account: this.account?.value || '', name: values.name, hostnames: values.hostnames, network: values.network, edge_group: values.edge_group, origin: originOf(values),
			mode: is_plain ? 'personal' : values.mode, plain_http: is_plain, certificates: values.mode === 'personal' ? values.certificates : [],
		});
		toast(`${resource.name} was created.`, { text: ['Now its DNS has to lead to the edges: the records stand below.', ...notes].join(' ') });
		await this.ctx.navigate(`/resources/${resource.id}`);
	}

	form() {
		const first = [this.account, this.name, this.hostnames].filter(Boolean);
		const folded = more('Network and edge group', this.network, this.group);
		return form(this.ctx, { wide: true, submit: 'Create resource', submitIcon: 'plus', cancel: '/resources', onSubmit: values => this.send(values), items: [
			{ node: card({ title: 'What is delivered' }, h('div.stack', first)), fields: first },
			{ node: card({ title: 'Certificate' }, h('div.stack', this.mode, this.certificates, this.ahead)), fields: [this.mode, this.certificates] },
			{ node: card({ title: 'Where its pages come from' }, h('div.stack', this.origin, folded)), fields: [...this.origin, ...folded.fields] },
		] });
	}
}

function wayCard() {
	return card({ title: 'What happens then' }, steps([
		{ state: 'neutral', title: 'You create it', text: 'It gets a DNS target of its own, which stays.' },
		{ state: 'neutral', title: 'You point the DNS at the target', text: 'A CNAME for each host name. The next page shows the records, and looks whether they are there.' },
		{ state: 'neutral', title: 'It comes to its certificate', text: 'Automatic and ACME obtain it by themselves as soon as the DNS is right, and show each step.' },
		{ state: 'neutral', title: 'Every edge is seen serving it', text: 'certd connects to each, and compares.' },
	]));
}

export async function render(ctx) {
	const creating = new Creating(ctx, await loadChoices(ctx));
	await creating.start();
	return page({ title, crumbs: [['Resources', '/resources']], lead: 'Host names, where their pages come from, and how they come to a certificate.' }, h('div.split', creating.form(), wayCard()));
}
