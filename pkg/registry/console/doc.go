// Package console is the registry's management console: pages made on the server with html/template, for people with a browser. It is a
// door like the others: every page action authenticates, calls one use case of [registry.Service] and shows what came back.
//
// Invariants:
//   - Everything works without script. Changes are plain forms: POST, then a redirect (303) to a page that shows the result.
//   - Forms, links and redirects are paths without a host, so that they are right behind a load balancer, on either of its ports.
//   - The operation stands first in a URL and the resource's path last: /console/browse/…, /console/edit/….
//   - A page loads nothing from elsewhere, and its Content-Security-Policy allows no inline script or style.
//   - What a form with a text asks for happens once, however often the form is sent, and never over what its author did not see.
//   - Any node serves any request: what the browser must bring back (entity tag, draft, theme) is in the form or a cookie, not in memory.
//
// Failures: what goes wrong becomes a page in the console's own look with the request id; only internal failures are logged. A text that
// cannot be saved (somebody was faster, the session ended, the store is away) comes back to its author inside the page that says so.
package console
