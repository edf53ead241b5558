// SPDX-License-Identifier: Apache-2.0
//
// Webhooks: URLs that are told by signed requests. The secret is shown once,
// when one is added.

import { accountColumn, accountField, accountFilters } from '../../lib/account.js';
import { button } from '../../lib/button.js';
import { codeBlock, copyable } from '../../lib/copy.js';
import { confirm, dialog } from '../../lib/dialog.js';
import { h, icon } from '../../lib/dom.js';
import { field } from '../../lib/form.js';
import { formDialog } from '../../lib/form_dialog.js';
import { when } from '../../lib/format.js';
import { card } from '../../lib/layout.js';
import { moreMenu } from '../../lib/menu.js';
import { badge, note } from '../../lib/status.js';
import { listView } from '../../lib/table.js';
import { toast } from '../../lib/toast.js';

const VERIFY = `import hashlib, hmac, time

def is_from_holdfast(header, body, secret):
    """header: Holdfast-Signature; body: the octets as they came; secret: hfw_..."""
    parts = dict(part.split("=", 1) for part in header.split(","))
    signed = parts["t"].encode() + b"." + body
    wanted = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
    is_fresh = abs(time.time() - int(parts["t"])) < 300
    return hmac.compare_digest(wanted, parts["v1"]) and is_fresh
`;

function verifyHelp() {
	return h('div.stack-s',
		h('p', 'Each request is a POST with JSON, and carries ', h('code', 'Holdfast-Signature: t=UNIX,v1=HEX'), '. HEX is HMAC-SHA256 with the webhook\'s secret over UNIX, a point, and the body. ',
			h('code', 'Holdfast-Delivery'), ' is the same for each attempt of one notice: keep it, to take each only once.'),
		codeBlock(VERIFY, { label: 'Python', file: 'verify_holdfast.py', type: 'text/x-python' }));
}

/* ---- acts ---- */

const nameField = value => field({ name: 'name', label: 'Name', required: true, value, autocomplete: 'off', help: 'For people: "Chat", "Ticketing".' });
const urlField = value => field({ name: 'url', label: 'URL', type: 'url', required: true, value, mono: true, autocomplete: 'off', placeholder: 'https://', help: 'https, and reachable from certd. Addresses of private networks are refused unless certd.yaml allows them.',
	check: text => /^https?:\/\//.test(text) ? '' : 'It begins with https://.' });

async function add(ctx, list) {
	const account = await accountField(ctx, { required: false });
	if (account)
		account.input.prepend(h('option', { value: '' }, 'The whole (operators\')'));
	const answer = await formDialog({ title: 'Add a webhook', submit: 'Add webhook', items: [account, nameField(''), urlField('')], run: values => ctx.api.post('/webhooks', values, { key: null }) });
	if (!answer)
		return;
	list.refresh();
	dialog({ title: `The secret of ${answer.webhook.name}`, wide: true, body: h('div.stack',
		h('p', 'It is shown here and never again. Give it to what receives the requests, which verifies with it that they come from here.'),
		copyable(answer.secret, { label: 'the secret', whole: true }),
		h('details.more', h('summary', icon('right'), 'How to verify'), verifyHelp()),
		h('p.quiet', 'No rule tells this webhook anything yet: name it in one, under Rules.')) });
}

async function change(ctx, list, hook) {
	if (await formDialog({ title: `Change ${hook.name}`, submit: 'Save', items: [nameField(hook.name), urlField(hook.url)], run: values => ctx.api.patch(`/webhooks/${hook.id}`, values, { etag: hook.etag }) }))
		list.refresh();
}

async function toggle(ctx, list, hook) {
	await ctx.api.patch(`/webhooks/${hook.id}`, hook.disabled ? { enable: true } : { disable: true }, { etag: hook.etag });
	toast(hook.disabled ? `${hook.name} is on.` : `${hook.name} is off.`, { text: hook.disabled ? '' : 'Nothing is sent to it meanwhile.' });
	list.refresh();
}

async function remove(ctx, list, hook) {
	if (await confirm({
		title: `Delete ${hook.name}?`, confirm: 'Delete webhook', danger: true, text: 'Nothing is sent to it any more, and rules that name it do so no longer. Its secret cannot be brought back.',
		run: () => ctx.api.delete(`/webhooks/${hook.id}`, {}, { etag: hook.etag }),
	}))
		list.refresh();
}

async function test(ctx, list, hook) {
	const result = await ctx.api.post(`/webhooks/${hook.id}:test`, {}, { key: null });
	list.refresh();
	dialog({ title: `Test of ${hook.name}`, body: result.delivered ? note('good', 'A test event was delivered.', { text: result.detail })
		: note('bad', 'A test event was not delivered.', { text: result.detail }) });
}

function actsOf(ctx, list, hook) {
	return h('span.row', button('Test', { small: true, title: `Send a test event to ${hook.name}`, run: () => test(ctx, list, hook) }), moreMenu(`Acts on ${hook.name}`, [
		{ label: 'Change', icon: 'edit', run: () => change(ctx, list, hook) },
		{ label: hook.disabled ? 'Turn on' : 'Turn off', icon: hook.disabled ? 'play' : 'pause', run: () => toggle(ctx, list, hook) },
		'-',
		{ label: 'Delete', icon: 'remove', danger: true, run: () => remove(ctx, list, hook) },
	]));
}

/* ---- the tab ---- */

function stateCell(hook) {
	if (hook.disabled)
		return badge('neutral', 'Off');
	if (!hook.last_s)
		return badge('neutral', 'Not used yet');
	return hook.last_problem ? [badge('bad', 'Failing'), h('span.under', hook.last_problem)] : badge('good', 'Working');
}

/** @param {Object} ctx the page's context @returns {Promise<function(): Node>} */
export async function webhooks(ctx) {
	const filters = await accountFilters(ctx);
	const may = ctx.session.mayManage;
	return () => {
		const adding = () => button('Add a webhook', { icon: 'plus', run: () => add(ctx, list) });
		const list = listView(ctx, {
			caption: 'Webhooks', one: 'webhook', filters, topics: ['notices'], tools: may ? [adding()] : null,
			load: query => ctx.api.list('/webhooks', 'webhooks', query),
			columns: [
				{ label: 'Name', class: 'main', cell: hook => [h('strong', hook.name), h('span.under', hook.url)] },
				{ label: 'State', cell: stateCell },
				accountColumn(ctx),
				{ label: 'Last attempt', class: 'fit', cell: hook => hook.last_s ? when(hook.last_s, 'relative') : h('span.quiet', 'Never') },
				may ? { label: '', class: 'acts', cell: hook => actsOf(ctx, list, hook) } : null,
			].filter(Boolean),
			empty: { icon: 'link', title: 'No webhooks yet', text: 'A webhook is told of events by a signed request: for a chat, a ticket system, a script of your own.', actions: may ? [adding()] : null },
		});
		return h('div.stack', list.node, card({ title: 'How to verify a request' }, verifyHelp()));
	};
}
