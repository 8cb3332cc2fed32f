// Package clients has no code of its own: its tests run clients that others
// wrote (browsers, npm's eventsource, okhttp-eventsource, a Python and a Go
// client, curl) against pods behind nginx that are killed, drained and reloaded,
// and hold what each received against the log. Their programs and pins are in the
// folders beside; "make setup" fetches them.
package clients
