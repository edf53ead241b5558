// SPDX-License-Identifier: Apache-2.0
//
// Rules: who is told of what. An account has its own; those about the whole
// (edges, ledger, HSM) are the operators'.

import { accountFilters } from '../../lib/account.js';
import { button } from '../../lib/button.js';
import { confirm } from '../../lib/dialog.js';
import { h } from '../../lib/dom.js';
import { field, group } from '../../lib/form.js';
import { formDialog } from '../../lib/form_dialog.js';
import { some } from '../../lib/format.js';
import { moreMenu } from '../../lib/menu.js';
import { EVENTS, OF_WHOLE, eventTitle } from '../../lib/notices.js';
import { badge } from '../../lib/status.js';
import { listView } from '../../lib/table.js';
import { toast } from '../../lib/toast.js';

const ROLES = [['administrators', 'Administrators'], ['engineers', 'Engineers'], ['viewers', 'Viewers']];
const CONTACTS = [['administrative_contacts', 'Administrative contacts'], ['technical_contacts', 'Technical contacts']];
const DAYS_MAX = 10;
const EMAILS_MAX = 20;
const WEBHOOKS_MAX = 5;

/* ---- shown ---- */

function toldCell(rule, hooks) {
	const who = [...ROLES, ...CONTACTS].filter(([name]) => rule[name]).map(([, label]) => label);
	const names = (rule.webhooks || []).map(id => hooks.find(each => each.id === id)?.name || `webhook ${id}`).map(each => `webhook ${each}`);
	const people = who.map((each, i) => i ? each.toLowerCase() : each);
	const all = [...people, ...rule.emails || [], ...names];
	return all.length ? h('span', { title: all.join(', ') }, some(all, 4)) : h('span.quiet', 'Nobody');
}

function eventCell(rule) {
	const days = rule.event === 'expiring' ? `${rule.days.join(', ')} days before` : '';
	return [h('strong', eventTitle(rule.event)), h('span.under', days || EVENTS[rule.event]?.[1])];
}

/* ---- changed ---- */

function daysOf(text) {
	return text.split(/[\s,]+/).filter(Boolean).map(Number);
}

function daysProblem(text) {
	const days = daysOf(text);
	if (days.some(each => !Number.isInteger(each) || each < 0 || each > 365) || days.length > DAYS_MAX)
		return `At most ${DAYS_MAX} numbers from 0 to 365, with commas between them.`;
	return new Set(days).size === days.length ? '' : 'One of them stands there twice.';
}

function emailsProblem(list) {
	if (list.length > EMAILS_MAX)
		return `At most ${EMAILS_MAX} addresses.`;
	const wrong = list.find(each => !/^[^\s@]+@[^\s@]+$/.test(each));
	return wrong ? `${wrong} is not an address.` : '';
}

function itemsOf(rule, hooks, is_whole) {
	const check = ([name, label]) => field({ name, label, type: 'check', value: rule[name] });
	const days = field({ name: 'days', label: 'Days before', value: (rule.days?.length ? rule.days : [14, 7, 0]).join(', '), required: true, autocomplete: 'off', help: 'Each certificate is told of once for each; 0 is the day itself.', check: daysProblem });
	days.node.hidden = rule.event !== 'expiring';
	const usable = hooks.filter(each => each.account === (rule.account || ''));
	return [
		rule.id ? null : field({ name: 'event', label: 'When', type: 'select', required: true, value: rule.event, onInput: value => { days.node.hidden = value !== 'expiring'; },
			options: Object.keys(EVENTS).filter(each => OF_WHOLE.includes(each) === is_whole).map(each => [each, eventTitle(each)]) }),
		days,
		is_whole ? null : group('Users of the account', null, ROLES.map(check)),
		is_whole ? null : group('Contacts', null, CONTACTS.map(check)),
		field({ name: 'emails', label: 'Other addresses', type: 'lines', value: rule.emails, optional: true, rows: 3, help: 'One a line.', check: emailsProblem }),
		usable.length ? group('Webhooks', null, usable.map(each => field({ name: `webhook-${each.id}`, label: each.name, type: 'check', value: rule.webhooks?.includes(each.id) }))) : null,
	].filter(Boolean);
}

function ruleOf(rule, values) {
	const event = values.event || rule.event;
	const flags = Object.fromEntries([...ROLES, ...CONTACTS].map(([name]) => [name, Boolean(values[name])]));
	const webhooks = Object.keys(values).filter(each => each.startsWith('webhook-') && values[each]).map(each => Number(each.slice('webhook-'.length)));
	if (webhooks.length > WEBHOOKS_MAX)
		throw Object.assign(new Error(`A rule tells at most ${WEBHOOKS_MAX} webhooks.`), { title: 'Too many webhooks' });
	return { ...rule, ...flags, event, days: event === 'expiring' ? daysOf(values.days) : [], emails: values.emails, webhooks };
}

async function edit(ctx, list, rule) {
	/* Asked for now: one may have been added a moment ago. */
	const { items: hooks } = await ctx.api.all('/webhooks', 'webhooks', { account: rule.account });
	const is_whole = !rule.account && ctx.session.seesAll;
	const done = await formDialog({
		title: rule.id ? eventTitle(rule.event) : 'Add a rule', submit: rule.id ? 'Save' : 'Add rule', items: itemsOf(rule, hooks, is_whole),
		run: values => rule.id ? put(ctx, ruleOf(rule, values)) : ctx.api.post('/notice-rules', { rule: ruleOf(rule, values) }),
	});
	if (done)
		list.refresh();
}

function put(ctx, rule) {
	return ctx.api.patch(`/notice-rules/${rule.id}`, { rule });
}

async function toggle(ctx, list, rule) {
	await put(ctx, { ...rule, disabled: !rule.disabled });
	toast(rule.disabled ? 'The rule is on.' : 'The rule is off.');
	list.refresh();
}

async function remove(ctx, list, rule) {
	if (await confirm({
		title: `Delete the rule for "${eventTitle(rule.event)}"?`, confirm: 'Delete rule', danger: true, text: 'Those whom it names are not told any more, unless another rule does.',
		run: () => ctx.api.delete(`/notice-rules/${rule.id}`, {}, { etag: rule.etag }),
	}))
		list.refresh();
}

function actsOf(ctx, list, rule) {
	return h('span.row', button('Change', { small: true, title: `Change the rule for "${eventTitle(rule.event)}"`, run: () => edit(ctx, list, rule) }), moreMenu(`Acts on the rule for "${eventTitle(rule.event)}"`, [
		{ label: rule.disabled ? 'Turn on' : 'Turn off', icon: rule.disabled ? 'play' : 'pause', run: () => toggle(ctx, list, rule) },
		{ label: 'Delete', icon: 'remove', danger: true, run: () => remove(ctx, list, rule) },
	]));
}

/* ---- the tab ---- */

/* Operators look at the whole, or at one account. */
async function filtersOf(ctx) {
	const [accounts] = await accountFilters(ctx);
	return accounts ? [{ ...accounts, options: [['', 'About the whole'], ...accounts.options.slice(1)] }] : [];
}

/** @param {Object} ctx the page's context @returns {Promise<function(): Node>} */
export async function rules(ctx) {
	const filters = await filtersOf(ctx);
	let hooks = [];
	let account = ctx.query.account || ctx.session.account;
	const load = async query => {
		account = query.account || ctx.session.account;
		const whole = ctx.session.seesAll && !query.account;
		const [found, all] = await Promise.all([ctx.api.all('/notice-rules', 'rules', whole ? { whole } : query), ctx.api.all('/webhooks', 'webhooks', { account: query.account })]);
		hooks = all.items;
		const order = Object.keys(EVENTS);
		return { items: found.items.sort((a, b) => order.indexOf(a.event) - order.indexOf(b.event)), next: '' };
	};
	return () => {
		const fresh = () => ({ account, event: account ? 'expiring' : OF_WHOLE[0] });
		const add = () => button('Add a rule', { icon: 'plus', run: () => edit(ctx, list, fresh()) });
		const may = ctx.session.mayManage;
		const list = listView(ctx, {
			caption: 'Rules', one: 'rule', local: true, filters, load, text: rule => rule.event, topics: ['notices'], tools: may ? [add()] : null,
			columns: [
				{ label: 'When', class: 'main', cell: eventCell },
				{ label: 'Told to', cell: rule => toldCell(rule, hooks) },
				{ label: 'State', class: 'fit', cell: rule => rule.disabled ? badge('neutral', 'Off') : badge('good', 'On') },
				may ? { label: '', class: 'acts', cell: rule => actsOf(ctx, list, rule) } : null,
			].filter(Boolean),
			empty: { icon: 'notice', title: 'No rules', text: 'Nobody is told of anything here. A rule says which event is told to whom.', actions: may ? [add()] : null },
		});
		return list.node;
	};
}
