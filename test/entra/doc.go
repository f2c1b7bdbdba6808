// Package entra is a client that behaves like the provisioning service of Microsoft Entra ID. It takes a company and a
// job, and does to a SCIM server what Entra would: Test Connection, an initial cycle, incremental cycles, provisioning
// on demand, retries, quarantine. Afterwards it compares the server with what Entra would believe to be there. It knows
// nothing of any particular server.
//
// # Use
//
// From a test:
//
//	c := company.Generate(company.Size{Seed: 1, Users: 500, Groups: 40})
//	now := time.Now()
//	s, err := entra.New(
//		job.Job{TenantURL: url, SecretToken: token, Dialect: wire.Flagged},
//		entra.Options{Clock: func() time.Time { return now }},
//	)
//	err = s.TestConnection(ctx)
//	report, err := s.RunCycle(ctx, c)                       // the initial cycle
//	now = now.AddDate(0, 0, 10)
//	company.DefaultLife(1).Period(c, now)                   // ten days pass
//	report, err = s.RunCycle(ctx, c)                        // an incremental one
//	differences, err := s.Verify(ctx, c)
//
// From a shell: test/entra/cmd/entra, whose --help lists the flags.
//
// The packages below have one concern each. company is the directory on Entra's side and the passing of time in it; job
// is what an administrator configures: mappings, scope, dialect; wire is the shape of every request and the judgement of
// every answer; quarantine decides when to stop calling.
//
// # What a cycle does
//
// Users come first, all of them, then managers, then groups, then memberships; within each, as many requests are under
// way as the job's Concurrency says.
//
//   - An object without a link is looked up by its matching attributes, in the order of their precedence. The first hit
//     is adopted and brought up to date; without a hit the object is created. If the create is answered 409 the object is
//     looked up once more and adopted.
//   - An object with a link is compared with what was last exported. If nothing changed, nothing is sent. Otherwise it is
//     read by id, and one PATCH sends the attributes that the server does not have yet.
//   - A manager is sent by a PATCH of its own once both ends exist, memberships likewise, by default one member a
//     request. Groups are created without members.
//   - Disabled, out of scope, in the recycle bin: active becomes false. Purged, or 30 days in the recycle bin: DELETE.
//     Who went out of scope first gets no DELETE later. Disabled users are not created. Groups that are dissolved or out
//     of scope are deleted.
//   - A value that becomes empty is not sent; a manager that is taken away is sent as "".
//   - Memberships of users in the recycle bin or out of scope are left as they are, and so are there when the user is
//     back.
//
// # What a failure does
//
// A failed object goes into escrow. It is tried again in the next cycle, then after 80 minutes, 160, and so on up to a
// day. Nothing is retried within a cycle. What a failed change left behind is unknown, so the next try reads the object
// before it sends anything. An id that the server does not know any more is an InvalidAnchor, in every cycle, until
// [Service.Restart] forgets all links.
//
// Wrong credentials, a look-up answered 404, and a cycle in which no request got any answer put the job into quarantine
// at once and end the cycle; package quarantine has the other reasons. A quarantined job is tried after 6, 12 and 24
// hours and then daily, and is disabled after 28 days. All of this goes by [Options].Clock.
//
// # Where it is strict
//
// As Entra is: a look-up without a hit has to be 200 with "Resources": [], one with two hits is an error, a created
// resource needs an id, groups must come without members where excludedAttributes says so. In [Service.Verify], values
// have to come back exactly as they were sent, active as a boolean, manager as {"value": id}, and pages have to add up.
//
// # Where it is not Entra
//
// Microsoft does not publish its timeout, its parallelism or what exactly it does on 429; here they are 30 seconds, 5
// and escrow. A manager who comes into scope later is sent in that cycle, where Entra waits for a restart. Members that
// an adopted group already had are left there, as Entra does, and Verify reports them. After a restart, changes made
// between are only seen as far as matching shows them. OAuth client credentials are not part of this client: it uses a
// Secret Token.
package entra
