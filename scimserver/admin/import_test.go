package admin_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"testing"
	"time"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/scimserver/directory"
	"github.com/tenantry/tenantry/scimserver/schema"
	"github.com/tenantry/tenantry/scimserver/store"
	"github.com/tenantry/tenantry/scimserver/store/postgres"
	"github.com/tenantry/tenantry/scimserver/store/postgres/testenv"
	"github.com/tenantry/tenantry/scimserver/transfer"
	"github.com/tenantry/tenantry/test/race"
)

// eachEngine runs a test with how to make a fixture whose directory is empty, in SQLite and in PostgreSQL.
func eachEngine(t *testing.T, test func(t *testing.T, empty func() *fixture)) {
	t.Run("SQLite", func(t *testing.T) { test(t, func() *fixture { return newFixture(t) }) })
	t.Run("PostgreSQL", func(t *testing.T) {
		test(t, func() *fixture {
			url := testenv.HastySchema(t)
			database, err := postgres.Open(t.Context(), postgres.Options{URL: func() (string, error) { return url, nil }})
			return newFixtureOn(t, opened(t, database, err))
		})
	})
}

// people makes users and a group that has them all.
func (f *fixture) people(users int) {
	f.Helper()
	var members []any
	for n := range users {
		members = append(members, schema.Object{"value": f.user(fmt.Sprintf("u%d@contoso.test", n))})
	}
	group := schema.Object{"displayName": "all", "members": members}
	if _, err := f.directory.Create(f.Context(), directory.Caller{Client: "token-1"}, store.Group, group); err != nil {
		f.Fatal(err)
	}
}

// imports sends a file and returns what is answered.
func (f *fixture) imports(token, path string, file io.Reader) (status int, body string) {
	f.Helper()
	status, body, err := f.send(f.Context(), token, path, file)
	if err != nil {
		f.Fatal(err)
	}
	return status, body
}

func (f *fixture) send(ctx context.Context, token, path string, file io.Reader) (status int, body string, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, f.url+path, file)
	if err != nil {
		return 0, "", err
	}
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Expect", "100-continue")
	// A busy server is waited for: what it refuses is not to be sent.
	patient := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, ExpectContinueTimeout: time.Minute}}
	response, err := patient.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	return response.StatusCode, string(data), err
}

func (f *fixture) wantEmpty() {
	f.Helper()
	if got := f.want("/export?log=true", f.provisioner, 200); strings.Count(got, "\n") != 2 {
		f.Errorf("something stayed:\n%s", got)
	}
}

func TestWhatIsImportedIsExportedAsTheSameBytesAndStandsInTheLog(t *testing.T) {
	eachEngine(t, func(t *testing.T, empty func() *fixture) {
		from := empty()
		from.people(300)
		for _, query := range []string{"", "?log=true"} {
			file := from.want("/export"+query, from.provisioner, 200)
			to := empty()
			to.suspend()
			status, answer := to.imports(to.provisioner, "/import", strings.NewReader(file))
			var counts transfer.Counts
			if err := json.Unmarshal([]byte(answer), &counts); status != 200 || err != nil {
				t.Fatalf("%s: %d %s", query, status, answer)
			}
			want := transfer.Counts{Users: 300, Groups: 1, Memberships: 300}
			if query != "" {
				want.Entries = 301
			}
			if counts != want {
				t.Errorf("%s: %+v, want %+v", query, counts, want)
			}
			first := strings.Split(file, "\n")
			again := strings.Split(to.want("/export"+query, to.provisioner, 200), "\n")
			// All but the last line, and the end of the file, with the log also two entries.
			for i := range len(first) - 2 {
				if first[i] != again[i] {
					t.Fatalf("%s: line %d is\n%s\nand was\n%s", query, i+1, again[i], first[i])
				}
			}
			if query == "" && strings.Join(first, "\n") != strings.Join(again, "\n") {
				t.Error("the second export is another")
			}
			imported, sequence := "/log", want.Entries+2 // a number is left out, because nobody knows how the users came about
			if query != "" {
				imported, sequence = "/log?after="+from.position(want.Entries), want.Entries+1 // who followed the other goes on here
			}
			entries := to.want(imported, to.reader, 200)
			for n := range int64(2) {
				entries = strings.Replace(entries, `,"position":"`+to.position(sequence+n)+`"`, "", 1)
			}
			client := to.snapshot.Load().Verifiers.Verifiers[0].ID
			entry := `{"sequence":%d,"time":"` + to.clock.Now().Format(time.RFC3339) + `","client":"` + client +
				`","resourceType":"%s","operation":"import","outcome":"success","count":%d}` + "\n"
			if wanted := fmt.Sprintf(entry+entry, sequence, "User", 300, sequence+1, "Group", 1); entries != wanted {
				t.Errorf("the log has\n%swant\n%s", entries, wanted)
			}
		}
	})
}

func TestAnImportIsRefusedAndLeavesNothing(t *testing.T) {
	source := newFixture(t)
	source.people(3)
	file := source.want("/export?log=true", source.provisioner, 200)
	foreign, _ := token.New(strings.NewReader(strings.Repeat("fabrikam's token", 2)))
	eachEngine(t, func(t *testing.T, empty func() *fixture) {
		f := empty()
		const active = "provisioning is not suspended: set spec.provisioning.state to Suspended first, so that no client writes meanwhile\n"
		if status, answer := f.imports(f.provisioner, "/import", strings.NewReader(file)); status != 409 || answer != active {
			t.Errorf("active: %d %s", status, answer)
		}
		f.suspend()
		for name, c := range map[string]struct {
			token, path, file string
			status            int
			want              string
		}{
			"a reader":         {f.reader, "/import", file, 403, "this takes a credential that provisions: the tenant's Secret Token, or an access token of its provisioning client\n"},
			"another tenant's": {foreign, "/import", file, 401, "the bearer token is not valid for this tenant: a client that provisions sends the tenant's current Secret Token, and a reader the current token of that reader\n"},
			"a parameter":      {f.provisioner, "/import?log=true", file, 400, "there are no parameters\n"},
			"a damaged line": {f.provisioner, "/import", strings.Replace(file, `"userName":"u1@`, `"profileUrl":"u1@`, 1), 422,
				"import: line 3: this is no whole export: User "},
			"half a file":  {f.provisioner, "/import", file[:strings.LastIndex(file, `{"end"`)], 422, "import: line 11: this is no whole export: the file was cut off here"},
			"a user twice": {f.provisioner, "/import", strings.Replace(file, "u1@contoso", "u0@contoso", 1), 422, "import: line 3: User "},
			"another format": {f.provisioner, "/import", strings.Replace(file, `"format":1`, `"format":2`, 1), 422,
				"import: line 1: this is an export of another format: it has format 2, and this program reads 1"},
			"nothing": {f.provisioner, "/import", "", 422, "import: line 1: this is no whole export: the file was cut off here"},
		} {
			status, answer := f.imports(c.token, c.path, strings.NewReader(c.file))
			if status != c.status || !strings.HasPrefix(answer, c.want) {
				t.Errorf("%s: %d %swant %d %s", name, status, answer, c.status, c.want)
			}
			if strings.Contains(answer, c.token) || strings.Contains(answer, "contoso.test") {
				t.Errorf("%s: the answer repeats a token or a value:\n%s", name, answer)
			}
			f.wantEmpty()
		}
		if status, answer := f.imports(f.provisioner, "/import", strings.NewReader(file)); status != 200 {
			t.Fatalf("after all that: %d %s", status, answer)
		}
		const occupied = "import: the directory is not empty: import only into a new one; nothing was imported\n"
		unread := strings.NewReader(file)
		if status, answer := f.imports(f.provisioner, "/import", unread); status != 409 || answer != occupied {
			t.Errorf("a second time: %d %s", status, answer)
		}
		if unread.Len() != len(file) {
			t.Error("a file was asked for that nobody wants")
		}
	})
}

// full is a store on a disk that has no room.
type full struct{ store.Store }

func (full) Update(context.Context, func(store.Tx) error) error {
	return fmt.Errorf("%w: database or disk is full", store.ErrUnavailable)
}

func TestAnImportThatFindsNoRoomSaysSo(t *testing.T) {
	f := newFixtureOn(t, full{openSQLite(t)})
	f.suspend()
	const want = "import: the directory's storage is unavailable: database or disk is full; nothing was imported\n"
	if status, answer := f.imports(f.provisioner, "/import", strings.NewReader("")); status != 503 || answer != want {
		t.Errorf("%d %s", status, answer)
	}
}

// unsure is a store that does not know what became of its updates.
type unsure struct{ store.Store }

func (u unsure) Update(ctx context.Context, change func(tx store.Tx) error) error {
	if err := u.Store.Update(ctx, change); err != nil {
		return err
	}
	return fmt.Errorf("%w: the second machine is away", store.ErrUncertain)
}

func TestAnImportThatMayHaveHappenedDoesNotSayThatNothingWasImported(t *testing.T) {
	source := newFixture(t)
	file := source.want("/export", source.provisioner, 200)
	f := newFixtureOn(t, unsure{openSQLite(t)})
	f.suspend()
	const want = "import: the directory's storage is unavailable: whether the change happened is not known: the second machine is away\n"
	if status, answer := f.imports(f.provisioner, "/import", strings.NewReader(file)); status != 503 || answer != want {
		t.Errorf("%d %s", status, answer)
	}
}

// again is a store that begins each of its transactions again.
type again struct{ store.Store }

func (a again) Update(ctx context.Context, change func(tx store.Tx) error) error {
	return a.Store.Update(ctx, func(tx store.Tx) error {
		if err := change(tx); err != nil {
			return err
		}
		return change(tx)
	})
}

func TestAnImportThatTheDatabaseBeginsAgainAsksForTheFileAgain(t *testing.T) {
	source := newFixture(t)
	source.user("anna")
	f := newFixtureOn(t, again{openSQLite(t)})
	f.suspend()
	status, answer := f.imports(f.provisioner, "/import", strings.NewReader(source.want("/export", source.provisioner, 200)))
	if status != 503 || answer != "the database asks to begin again: send the file again; nothing was imported\n" {
		t.Errorf("%d %s", status, answer)
	}
	f.wantEmpty()
}

// underWay is an import of which the first half has been read.
type underWay struct {
	*fixture
	rest     string
	pipe     *io.PipeWriter
	answered chan string
	hangUp   context.CancelFunc
}

// begin sends half of a file that is larger than what is buffered on the way.
func (f *fixture) begin(file string) *underWay {
	f.Helper()
	f.suspend()
	ctx, hangUp := context.WithCancel(f.Context())
	asked := make(chan struct{})
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{Got100Continue: func() { close(asked) }})
	body, pipe := io.Pipe()
	u := &underWay{f, file[len(file)/2:], pipe, make(chan string, 1), hangUp}
	go func() {
		status, answer, err := f.send(ctx, f.provisioner, "/import", body)
		_ = body.Close()
		u.answered <- fmt.Sprint(status, " ", answer, err)
	}()
	<-asked // the server reads
	if _, err := io.WriteString(pipe, file[:len(file)/2]); err != nil {
		f.Fatal(err)
	}
	f.Cleanup(hangUp)
	return u
}

// sendMuch sends more than the server reads at once, and ends.
func (u *underWay) sendMuch() {
	_, _ = io.WriteString(u.pipe, strings.Repeat("{", 1<<20))
	_ = u.pipe.Close()
}

func (u *underWay) finish() string {
	u.Helper()
	if _, err := io.WriteString(u.pipe, u.rest); err != nil {
		u.Fatal(err)
	}
	_ = u.pipe.Close()
	return <-u.answered
}

func TestAnImportThatDoesNotReachItsEndLeavesNothing(t *testing.T) {
	race.Meets(t)
	source := newFixture(t)
	source.people(20)
	file := source.want("/export", source.provisioner, 200)
	eachEngine(t, func(t *testing.T, empty func() *fixture) {
		for name, c := range map[string]struct {
			disturb func(*underWay)
			want    string
		}{
			"the client hangs up": {func(u *underWay) { u.hangUp(); _ = u.pipe.CloseWithError(context.Canceled) }, ""},
			// The deadline of the answer is by the same clock, so there is none; TestWhatIsSaidOfAnUploadThatBroke has it.
			"nothing more comes": {func(u *underWay) {
				u.clock.Step(-time.Hour)
				_, _ = io.WriteString(u.pipe, "{")
				_ = u.pipe.CloseWithError(context.Canceled)
			}, ""},
			"provisioning is resumed":   {func(u *underWay) { u.resume(); u.sendMuch() }, "409 provisioning is not suspended any more; nothing was imported\n<nil>"},
			"the server is told to end": {func(u *underWay) { u.stop() }, "503 the server is being stopped; nothing was imported\n<nil>"},
		} {
			t.Run(name, func(t *testing.T) {
				f := empty()
				u := f.begin(file)
				c.disturb(u)
				if got := <-u.answered; c.want != "" && got != c.want {
					t.Errorf("answer %q, want %q", got, c.want)
				}
				f.wantUntouched()
			})
		}
	})
}

// wantUntouched waits until the import has ended, and wants the directory to be empty and to take another one.
func (f *fixture) wantUntouched() {
	f.Helper()
	again := newFixtureOn(f.T, f.store)
	again.suspend()
	source := newFixture(f.T)
	source.user("anna")
	if status, answer := again.imports(again.provisioner, "/import", strings.NewReader(source.want("/export", source.provisioner, 200))); status != 200 {
		f.Errorf("another import: %d %s", status, answer)
	}
}

func TestThereIsOneImportAtATime(t *testing.T) {
	race.Meets(t)
	source := newFixture(t)
	source.people(3)
	file := source.want("/export", source.provisioner, 200)
	f := newFixture(t)
	u := f.begin(file)
	if status, answer := f.imports(f.provisioner, "/import", strings.NewReader(file)); status != 429 || answer != "there are 1 already who import: try again later\n" {
		t.Errorf("a second one meanwhile: %d %s", status, answer)
	}
	f.want("/readyz", "", 200)
	f.want("/log", f.reader, 200)
	if got := u.finish(); !strings.HasPrefix(got, `200 {"users":3,`) {
		t.Errorf("the first: %s", got)
	}
}

// A replica may answer a client for a moment after provisioning was suspended.
func TestAWriteDuringAnImportIsNotLost(t *testing.T) {
	race.Meets(t)
	source := newFixture(t)
	source.people(20)
	file := source.want("/export", source.provisioner, 200)
	eachEngine(t, func(t *testing.T, empty func() *fixture) {
		for name, userName := range map[string]string{"of somebody else": "carla@contoso.test", "of somebody in the file": "u19@contoso.test"} {
			t.Run(name, func(t *testing.T) {
				f := empty()
				u := f.begin(file)
				written := make(chan error, 1)
				go func() {
					_, err := f.directory.Create(context.WithoutCancel(t.Context()), directory.Caller{}, store.User, schema.Object{"userName": userName})
					written <- err
				}()
				imported := strings.HasPrefix(u.finish(), "200 ")
				created := <-written == nil
				stats, err := f.store.Stats(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				want := int64(0)
				if imported {
					want += 20
				}
				if created {
					want++
				}
				if stats.Users != want || !imported && !created {
					t.Errorf("imported %t, created %t, and %d users are there", imported, created, stats.Users)
				}
				if strings.HasPrefix(userName, "u19") && imported && created {
					t.Error("a userName is there twice")
				}
			})
		}
	})
}

// A connection that just ends, as with a pod that is killed.
func TestAConnectionThatIsCutLeavesNothing(t *testing.T) {
	source := newFixture(t)
	source.people(20)
	file := source.want("/export", source.provisioner, 200)
	eachEngine(t, func(t *testing.T, empty func() *fixture) {
		for _, share := range []int{1, 50, 99} {
			f := empty()
			f.suspend()
			conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(f.url, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(conn, "POST /import HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n", f.provisioner, len(file))
			if line, err := bufio.NewReader(conn).ReadString('\n'); line != "HTTP/1.1 100 Continue\r\n" {
				t.Fatalf("%q, %v", line, err)
			}
			fmt.Fprint(conn, file[:len(file)*share/100])
			if err := conn.Close(); err != nil {
				t.Fatal(err)
			}
			f.wantUntouched()
		}
	})
}

// A compressed file is refused before it is asked for: what is in it would be read as a damaged line.
func TestAnImportWithAContentCodingIsRefused(t *testing.T) {
	f := newFixture(t)
	f.suspend()
	for _, coding := range []string{"gzip", "identity, zstd"} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, f.url+"/import", strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		request.Header = http.Header{"Authorization": {"Bearer " + f.provisioner}, "Content-Encoding": {coding}}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if response.StatusCode != http.StatusUnsupportedMediaType || response.Header.Get("Accept-Encoding") != "identity" ||
			string(body) != "the file must not be encoded: send it without Content-Encoding, decompressed\n" {
			t.Errorf("%s: %d %v %s", coding, response.StatusCode, response.Header, body)
		}
		f.wantEmpty()
	}
}
