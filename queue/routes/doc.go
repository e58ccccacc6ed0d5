// Package routes takes the traffic of one lane to its host over several ways: a
// primary line and backups, or networks. All of them lead to the same host: one
// series of numbers, one duplicate memory, so that a repeat over another route
// is recognised. Another host is another lane: see queue.OutagePlan.
//
// Where a route is chosen depends on whom the session belongs to.
//
// A UnionPay terminal has one session at its host: each sign-in replaces the
// working keys and may begin a batch. Two links for one terminal would take them
// from each other, so there is one link, and the routes are connections under
// it. Dialer chooses among ways to dial; its method Dial is the link's dialer:
//
//	lines, err := routes.NewDialer(nil, routes.Line{Name: "fibre", Dial: isolink.TCP(a)}, routes.Line{Name: "4G", Dial: isolink.TCP(b)})
//	link, err := isolink.New(lane, lines.Dial, q, keys, nil)
//
// The session outlives the connection, so a change of route costs no sign-in.
//
// Where each route is an uplink of its own, with a session of its own or none,
// as over HTTPS, New makes one uplink of them.
//
// # What holds
//
//   - No change of route once a byte has left. A Send whose error does not wrap
//     queue.ErrNotSent ends there: the entry is in doubt, and the queue repeats or
//     reverses it, over whatever route is then in use. Only what provably never
//     left goes on to the next route within the call.
//   - That there is no line is decided within the time that Prepare is given
//     (queue.Options.PrepareTimeout, 5 s): the routes share it.
//   - Failures in a row, not one, change the route in use, and the way back needs
//     more than one success: a better route is tried, with no byte of an entry,
//     until it has proved well Options.Proven times and for Options.Hold since it
//     was left. One that fails soon after its return waits twice as long, up to an
//     hour.
//   - What the host says, a refusal, a slot, a planned pause, is not the route's
//     fault: no other one is tried for it, by Prepare either. The errors of an
//     uplink tell it by a method ByHost, RetryAfter or Planned.
package routes
