// SPDX-License-Identifier: Apache-2.0
//
// The one table of pages. path: below /console, with :names. module:
// pages/MODULE.js. who: a word of session.may(), or 'nobody' for the pages
// before one is in, which have no frame. group and icon: pages with them stand
// in the navigation, by their title (heading: where the page has a longer one);
// a page without stands under the section that its path begins with.

export const GROUPS = ['', 'Certificates', 'Delivery', 'Custody', 'Administration'];

export const ROUTES = [
	{ path: '/login', module: 'login', title: 'Log in', who: 'nobody' },
	{ path: '/welcome', module: 'welcome', title: 'Welcome', who: 'nobody' },
	{ path: '/unsubscribe', module: 'unsubscribe', title: 'Stop mails', who: 'nobody' },
	{ path: '/', module: 'overview', title: 'Overview', who: 'all', group: '', icon: 'overview' },

	{ path: '/certificates', module: 'certificates', title: 'Certificates', who: 'all', group: 'Certificates', icon: 'certificate' },
	{ path: '/certificates/new', module: 'certificate_new', title: 'Add a certificate', who: 'change' },
	{ path: '/certificates/:id', module: 'certificate', title: 'Certificate', who: 'all' },
	{ path: '/requests', module: 'requests', title: 'Requests', heading: 'Certificate requests', who: 'all', group: 'Certificates', icon: 'request' },
	{ path: '/requests/new', module: 'request_new', title: 'Request a certificate', who: 'change' },
	{ path: '/requests/:id', module: 'request', title: 'Certificate request', who: 'all' },
	{ path: '/enrollments', module: 'enrollments', title: 'Enrollments', who: 'all', group: 'Certificates', icon: 'enrollment' },
	{ path: '/enrollments/new', module: 'enrollment_new', title: 'Enroll host names', who: 'change' },
	{ path: '/enrollments/:id', module: 'enrollment', title: 'Enrollment', who: 'all' },
	{ path: '/enrollments/:id/edit', module: 'enrollment_new', title: 'Change an enrollment', who: 'change' },
	{ path: '/changes', module: 'changes', title: 'Changes', who: 'all', group: 'Certificates', icon: 'change' },
	{ path: '/changes/:id', module: 'change', title: 'Change', who: 'all' },

	{ path: '/resources', module: 'resources', title: 'Resources', who: 'all', group: 'Delivery', icon: 'resource' },
	{ path: '/resources/new', module: 'resource_new', title: 'Create a resource', who: 'change' },
	{ path: '/resources/:id', module: 'resource', title: 'Resource', who: 'all' },
	{ path: '/diagnose', module: 'diagnose', title: 'Diagnose', who: 'all', group: 'Delivery', icon: 'diagnose' },
	{ path: '/edges', module: 'edges', title: 'Edges', who: 'operators, auditors', group: 'Delivery', icon: 'edge' },
	{ path: '/edges/:name', module: 'edge', title: 'Edge', who: 'operators, auditors' },

	{ path: '/keys', module: 'keys', title: 'Keys', who: 'all', group: 'Custody', icon: 'key' },
	{ path: '/keys/:id', module: 'key', title: 'Key', who: 'all' },
	{ path: '/audit', module: 'audit', title: 'Audit ledger', who: 'operators, auditors', group: 'Custody', icon: 'ledger' },
	{ path: '/audit/:number', module: 'audit_entry', title: 'Ledger entry', who: 'operators, auditors' },
	{ path: '/history', module: 'history', title: 'History', who: 'managers, auditors', group: 'Custody', icon: 'history' },

	{ path: '/accounts', module: 'accounts', title: 'Accounts', who: 'operators, auditors', group: 'Administration', icon: 'account' },
	{ path: '/accounts/:name', module: 'account', title: 'Account', who: 'operators, auditors' },
	{ path: '/users', module: 'users', title: 'Users', who: 'managers, auditors', group: 'Administration', icon: 'user' },
	{ path: '/tokens', module: 'tokens', title: 'Tokens', who: 'managers, auditors', group: 'Administration', icon: 'token' },
	{ path: '/contacts', module: 'contacts', title: 'Contacts', who: 'managers, auditors', group: 'Administration', icon: 'contact' },
	{ path: '/notices', module: 'notices', title: 'Notices', who: 'engineers, auditors', group: 'Administration', icon: 'notice' },
	{ path: '/notices/:id', module: 'notice', title: 'Notice', who: 'engineers, auditors' },
	{ path: '/authorities', module: 'authorities', title: 'Authorities', heading: 'Certificate authorities', who: 'operators, auditors', group: 'Administration', icon: 'authority' },
	{ path: '/plans', module: 'plans', title: 'Plans', who: 'operators, auditors', group: 'Administration', icon: 'plan' },
	{ path: '/plans/new', module: 'plan_new', title: 'Plan a replacement', who: 'operators' },
	{ path: '/plans/:id', module: 'plan', title: 'Replacement plan', who: 'operators, auditors' },
	{ path: '/settings', module: 'settings', title: 'Settings', who: 'all', group: 'Administration', icon: 'settings' },
];
