// SPDX-License-Identifier: Apache-2.0
//
// Enroll host names, or change an enrollment: which certificate, of which CA,
// validated how, and who is told.

import { accountField } from '../lib/certificate/where.js';
import { loadChoices, networkField } from '../lib/choices.js';
import { h, mount } from '../lib/dom.js';
import { authorityFields, bringsCertificate, changesOf, contactsField, namesFields, validationFields, wayFields } from '../lib/enrollment/fields.js';
import { form, more } from '../lib/form.js';
import { card, page } from '../lib/layout.js';
import { note, steps } from '../lib/status.js';
import { toast } from '../lib/toast.js';

export const title = 'Enroll host names';

const PARTS = ['hostnames', 'name', 'validation', 'dns_provider', 'authority', 'profile', 'algorithm', 'preferred_chain', 'common_name', 'stepwise', 'standby', 'contacts'];

class Enrolling {
	constructor(ctx, enrollment) {
		this.ctx = ctx;
		this.was = enrollment;
		this.is = enrollment || {};
	}

	async contacts(account) {
		if (!this.ctx.session.may('managers, auditors') || (this.ctx.session.seesAll && !account))
			return [];
		return (await this.ctx.api.all('/contacts', 'contacts', { account })).items;
	}

	async start() {
		const { ctx, is } = this;
		const choices = await loadChoices(ctx);
		this.account = this.was ? null : await accountField(ctx, ctx.query.account, async account => this.told.offer(await this.contacts(account)));
		const { hostnames, name } = namesFields(is);
		const { validation, provider } = validationFields(is, choices, () => hostnames.value);
		this.first = [this.account, hostnames, name].filter(Boolean);
		this.validated = [validation, provider];
		this.of = authorityFields(is, choices);
		this.network = this.was ? null : networkField(choices);
		this.way = wayFields(is, choices);
		this.told = contactsField(await this.contacts(is.account || this.account?.value), is.contacts);
		this.ahead = h('div.changes-ahead', { 'aria-live': 'polite' });
	}

	/* As the API takes it. */
	body(values) {
		return Object.fromEntries(PARTS.filter(each => each in values && !(each === 'hostnames' && this.is.resource)).map(each => [each, values[each]]));
	}

	showAhead(node) {
		if (!this.was)
			return;
		const values = Object.fromEntries(Object.values(node.fields).map(each => [each.name, each.value]));
		mount(this.ahead, bringsCertificate(changesOf(this.was, this.body(values))) ? note('notice', 'A new certificate is obtained for this.', { text: this.was.certificate ? 'The old one serves until the new one is proven.' : null }) : null);
	}

	async send(values) {
		const { ctx, was } = this;
		const body = this.body(values);
		const { enrollment, change } = was ? await ctx.api.patch(`/enrollments/${was.id}`, changesOf(was, body), { etag: was.etag })
			: await ctx.api.post('/enrollments', { ...body, account: values.account || '', network: values.network });
		toast(was ? 'Saved.' : `${enrollment.name} was enrolled.`, { text: change ? 'A certificate is being obtained.' : '' });
		await ctx.navigate(`/enrollments/${enrollment.id}`);
	}

	form() {
		const folded = more('Profile, key and chain', this.of.slice(1), this.network);
		const part = (heading, ...items) => ({ node: card({ title: heading }, h('div.stack', items)), fields: items.flat().filter(Boolean).flatMap(each => each.fields || [each]) });
		const self = form(this.ctx, { wide: true, submit: this.was ? 'Save' : 'Enroll', submitIcon: this.was ? '' : 'plus', cancel: this.was ? `/enrollments/${this.was.id}` : '/enrollments', onSubmit: values => this.send(values), items: [
			part('Which certificate', this.first), part('Validation', this.validated), part('Certificate authority', this.of[0], folded), part('Way', this.way, this.told), this.ahead,
		] });
		self.node.addEventListener('input', () => this.showAhead(self));
		self.node.addEventListener('change', () => this.showAhead(self));
		return self;
	}
}

function wayCard() {
	return card({ title: 'What happens then' }, steps([
		{ state: 'neutral', title: 'It is ordered from the CA', text: 'At once, or when the CA\'s limits let it.' },
		{ state: 'neutral', title: 'The CA validates each name', text: 'By HTTP at the edges, or by a record in the DNS.' },
		{ state: 'neutral', title: 'The key is made in the token', text: 'It never leaves it.' },
		{ state: 'neutral', title: 'The certificate is kept, and renewed', text: 'When the CA wishes, or when a third of its life is left.' },
	]));
}

export async function render(ctx) {
	const { id } = ctx.params;
	const enrollment = id ? await ctx.api.get(`/enrollments/${id}`) : null;
	const enrolling = new Enrolling(ctx, enrollment);
	await enrolling.start();
	if (enrollment) {
		ctx.setTitle(`Change ${enrollment.name}`);
		return page({ title: `Change ${enrollment.name}`, crumbs: [['Enrollments', '/enrollments'], [enrollment.name, `/enrollments/${id}`]] }, h('div.split', enrolling.form(), h('div')));
	}
	return page({ title, crumbs: [['Enrollments', '/enrollments']], lead: 'A certificate that is obtained by ACME, and renewed from then on. For host names of a resource, choose the mode ACME there instead.' },
		h('div.split', enrolling.form(), wayCard()));
}
