package e2e

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	_ "modernc.org/sqlite" // the copy of the client in Python
)

// directory is what a server has, or what an application believes that it has.
type directory struct {
	Users   map[string]map[string]any  `json:"users"`
	Groups  map[string]map[string]any  `json:"groups"` // without their members
	Members map[string]map[string]bool `json:"members"`
}

// readDirectory reads everything, while nobody writes.
func readDirectory(p *process) *directory {
	p.t.Helper()
	read := func(path string) map[string]map[string]any {
		found := map[string]map[string]any{}
		for {
			list := p.mustSend("GET", fmt.Sprintf("%s&count=1000&startIndex=%d", path, len(found)+1), "", 200)
			page, _ := list["Resources"].([]any)
			for _, r := range page {
				found[r.(map[string]any)["id"].(string)] = r.(map[string]any)
			}
			if float64(len(found)) == list["totalResults"] {
				return found
			}
			if len(page) == 0 {
				p.t.Fatalf("%s: %d of %v were found", path, len(found), list["totalResults"])
			}
		}
	}
	d := &directory{read("/Users?excludedAttributes=groups"), read("/Groups?"), map[string]map[string]bool{}}
	for id, group := range d.Groups {
		d.Members[id] = map[string]bool{}
		for _, member := range group["members"].([]any) {
			d.Members[id][member.(map[string]any)["value"].(string)] = true
		}
		delete(group, "members")
	}
	return d
}

// application is a client of docs/applications that keeps a copy of the directory.
type application struct {
	t       *testing.T
	name    string
	command []string
	env     []string
	file    string
	load    func(file string) (*directory, error)
	log     *safeBuffer
	running *exec.Cmd
}

func newApplications(t *testing.T, tenantURL, token string) []*application {
	t.Helper()
	secret := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(secret, []byte(token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	env := append(os.Environ(), "TENANT_URL="+tenantURL, "TOKEN_FILE="+secret)
	if err := clients(); err != nil {
		t.Fatal(err)
	}
	applications := []*application{
		{name: "Go", command: []string{"./mirror"}, load: loadJSON},
		{name: "TypeScript", command: shown(t, "node"), load: loadJSON},
		{name: "Python", command: shown(t, "python3"), load: loadSQLite},
	}
	for _, a := range applications {
		a.t, a.env, a.log = t, env, &safeBuffer{}
		a.file = filepath.Join(t.TempDir(), "copy")
		t.Cleanup(a.kill)
	}
	return applications
}

// shown is a command of the page, without the file that it ends with.
func shown(t *testing.T, program string) []string {
	t.Helper()
	page, err := os.ReadFile("../../docs/applications.md")
	if err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile(`(?m)^(` + program + ` docs/applications/.*) contoso[-\w]*\.\w+$`).FindSubmatch(page)
	if line == nil {
		t.Fatalf("docs/applications.md shows no command with %s", program)
	}
	return strings.Fields(string(line[1]))
}

// clients builds the clients that have to be, beside a copy of the others.
var clients = sync.OnceValue(func() error {
	build := exec.Command("sh", "-euc", `
		go build -o "$0/mirror" ./docs/applications/go
		hack/debian.sh python3
		modules=$(hack/npm.sh docs/applications/typescript)
		mkdir "$0/docs"
		cp -r docs/applications "$0/docs"
		cd "$0/docs/applications/typescript"
		ln -s "$modules" node_modules
		node_modules/.bin/tsc
	`, built)
	build.Dir = "../.."
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build the clients: %w\n%s", err, out)
	}
	return nil
})

// start has the application follow until it is killed.
func (a *application) start() {
	a.t.Helper()
	a.running = a.process()
	if err := a.running.Start(); err != nil {
		a.t.Fatal(err)
	}
}

func (a *application) process(flags ...string) *exec.Cmd {
	args := append(append(a.command[1:], flags...), a.file)
	command := exec.Command(a.command[0], args...)
	command.Dir, command.Env, command.Stderr = built, a.env, a.log
	return command
}

// kill ends the application with SIGKILL.
func (a *application) kill() {
	if a.running == nil {
		return
	}
	_ = a.running.Process.Kill()
	if err := a.running.Wait(); a.running.ProcessState.Exited() {
		a.t.Errorf("%s ended by itself: %v\n%s", a.name, err, a.log)
	}
	a.running = nil
}

// catchUp has the application go on from what it kept, until nothing is left.
func (a *application) catchUp() {
	a.t.Helper()
	a.kill()
	if err := a.process("--until-idle").Run(); err != nil {
		a.t.Errorf("%s: %v\n%s", a.name, err, a.log)
	}
}

// await returns when the application has said something so many times.
func (a *application) await(text string, times int) {
	a.t.Helper()
	eventually(a.t, func() bool { return strings.Count(a.log.String(), text) >= times }, func() string { return a.name + ":\n" + a.log.String() })
}

// eventually returns when something holds.
func eventually(t *testing.T, holds func() bool, about func() string) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(time.Minute)
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("it did not happen within a minute: %s", about())
		}
	}
}

// compare looks for what the application lost, kept for too long, or made up.
func (a *application) compare(wanted *directory) {
	a.t.Helper()
	got, err := a.load(a.file)
	if err != nil {
		a.t.Fatalf("%s: %v", a.name, err)
	}
	if len(wanted.Users) < 500 || len(wanted.Groups) < 5 {
		a.t.Fatalf("%d users and %d groups prove too little", len(wanted.Users), len(wanted.Groups))
	}
	differences(a, "user", got.Users, wanted.Users)
	differences(a, "group", got.Groups, wanted.Groups)
	for id, members := range got.Members {
		if len(members) == 0 {
			delete(got.Members, id)
		}
	}
	for id, members := range wanted.Members {
		if len(members) == 0 {
			delete(wanted.Members, id)
		}
	}
	differences(a, "members of group", got.Members, wanted.Members)
}

func differences[V any](a *application, what string, got, wanted map[string]V) {
	a.t.Helper()
	lost, invented, other, example := 0, 0, 0, ""
	for id, want := range wanted {
		if have, ok := got[id]; !ok {
			lost++
		} else if !reflect.DeepEqual(have, want) {
			other++
			example = fmt.Sprintf("\n%v\nwant\n%v", have, want)
		}
	}
	for id := range got {
		if _, ok := wanted[id]; !ok {
			invented++
		}
	}
	if lost+invented+other > 0 {
		a.t.Errorf("%s has %d of %ss: %d lost, %d that are not there, %d are other than they are%.2000s", a.name, len(got), what, lost, invented, other, example)
	}
}

func loadJSON(file string) (*directory, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	d := &directory{}
	return d, json.Unmarshal(data, d)
}

// loadSQLite reads the tables users(id, resource), groups(id, resource) and members(group_id, member_id).
func loadSQLite(file string) (*directory, error) {
	db, err := sql.Open("sqlite", file)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	d := &directory{Members: map[string]map[string]bool{}}
	if d.Users, err = resources(db, "SELECT id, resource FROM users"); err != nil {
		return nil, err
	}
	if d.Groups, err = resources(db, "SELECT id, resource FROM groups"); err != nil {
		return nil, err
	}
	return d, pairs(db, "SELECT group_id, member_id FROM members", func(group, member string) error {
		if d.Members[group] == nil {
			d.Members[group] = map[string]bool{}
		}
		d.Members[group][member] = true
		return nil
	})
}

func resources(db *sql.DB, query string) (map[string]map[string]any, error) {
	found := map[string]map[string]any{}
	return found, pairs(db, query, func(id, text string) error {
		var r map[string]any
		err := json.Unmarshal([]byte(text), &r)
		found[id] = r
		return err
	})
}

func pairs(db *sql.DB, query string, keep func(first, second string) error) error {
	rows, err := db.Query(query)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var first, second string
		if err := rows.Scan(&first, &second); err != nil {
			return err
		}
		if err := keep(first, second); err != nil {
			return err
		}
	}
	return rows.Err()
}
