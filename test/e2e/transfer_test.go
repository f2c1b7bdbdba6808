package e2e

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tenantry/tenantry/scimserver/store/postgres/testenv"
)

// scimserver runs a subcommand to its end.
func scimserver(t *testing.T, in []byte, args ...string) (out, complaint string, err error) {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(in), &stdout, &stderr
	err = cmd.Run()
	return stdout.String(), stderr.String(), err
}

func (p *process) administer(path string) (int, string) {
	p.t.Helper()
	status, answer, err := p.atAdminPort(http.MethodGet, path, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	return status, answer
}

func (p *process) atAdminPort(method, path string, body io.Reader) (int, string, error) {
	request, err := http.NewRequest(method, p.admin+path, body)
	if err != nil {
		return 0, "", err
	}
	request.Header.Set("Authorization", "Bearer "+p.token)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	return response.StatusCode, string(data), err
}

func TestADirectoryMovesToAnotherFolder(t *testing.T) {
	c := newTenant(t)
	p := c.start()
	anna := p.mustSend("POST", "/Users", `{"userName":"anna@contoso.test"}`, 201)["id"].(string)
	group := p.mustSend("POST", "/Groups", `{"displayName":"All","members":[{"value":"`+anna+`"}]}`, 201)["id"].(string)
	p.mustSend("POST", "/Users", `{"userName":"ANNA@contoso.test"}`, 409)
	before := p.mustSend("GET", "/Users/"+anna, "", 200)

	if _, complaint, err := scimserver(t, nil, "export", "--data", c.data); err == nil || !strings.Contains(complaint, "another process has it open") {
		t.Errorf("an export beside the server: %v\n%s", err, complaint)
	}
	status, online := p.administer("/export")
	if status != http.StatusOK {
		t.Fatalf("/export = %d\n%s", status, online)
	}
	p.kill()

	offline, complaint, err := scimserver(t, nil, "export", "--data", c.data)
	if err != nil || offline != online {
		t.Errorf("the export of the folder is not that of the server: %v\n%s", err, complaint)
	}
	c.data = t.TempDir()
	if _, complaint, err := scimserver(t, []byte(offline[:len(offline)/2]), "import", "--data", c.data); err == nil || !strings.Contains(complaint, "nothing was imported") {
		t.Errorf("half a file: %v\n%s", err, complaint)
	}
	_, report, err := scimserver(t, []byte(offline), "import", "--data", c.data)
	if want := "imported 1 users, 1 groups, 1 memberships and 0 entries of the provisioning log\n"; err != nil || report != want {
		t.Errorf("import: %v\n%swant %s", err, report, want)
	}
	if _, complaint, err := scimserver(t, []byte(offline), "import", "--data", c.data); err == nil || !strings.Contains(complaint, "the directory is not empty") {
		t.Errorf("a second import: %v\n%s", err, complaint)
	}

	p = c.start()
	after := p.mustSend("GET", "/Users/"+anna, "", 200)
	// The host of the URLs is the port of another process.
	delete(before, "meta")
	delete(after, "meta")
	delete(before, "groups")
	if groups := after["groups"].([]any); len(groups) != 1 || groups[0].(map[string]any)["value"] != group {
		t.Errorf("groups %v", groups)
	}
	delete(after, "groups")
	if len(before) != len(after) || before["userName"] != after["userName"] || before["locale"] != after["locale"] {
		t.Errorf("got %v, want %v", after, before)
	}
}

func TestADirectoryMovesToPostgreSQLAsSoonAsItsServerHasEnded(t *testing.T) {
	c := newTenant(t)
	p := c.start()
	anna := p.mustSend("POST", "/Users", `{"userName":"anna@contoso.test"}`, 201)["id"].(string)
	p.mustSend("POST", "/Groups", `{"displayName":"All","members":[{"value":"`+anna+`"}]}`, 201)
	url := filepath.Join(t.TempDir(), "url")
	if err := os.WriteFile(url, []byte(testenv.Schema(t)), 0o600); err != nil {
		t.Fatal(err)
	}
	database := []string{"--database-url-file", url, "--database-schema", "test_" + strings.ToLower(rand.Text()[:12])}
	t.Cleanup(func() { testenv.Execute(t, "DROP SCHEMA IF EXISTS "+database[3]+" CASCADE") })

	type end struct {
		complaint string
		err       error
	}
	ended := make(chan end, 1)
	go func() {
		_, complaint, err := scimserver(t, nil, append([]string{"move", "--data", c.data, "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"}, database...)...)
		ended <- end{complaint, err}
	}()
	p.mustSend("POST", "/Users", `{"userName":"bo@contoso.test"}`, 201)
	p.kill()
	const want = "moved 2 users, 1 groups, 1 memberships and 3 entries of the provisioning log\n"
	if e := <-ended; e.err != nil || e.complaint != want {
		t.Fatalf("move: %v\n%swant %s", e.err, e.complaint, want)
	}
	if _, complaint, err := scimserver(t, nil, append([]string{"move", "--data", c.data}, database...)...); err != nil || complaint != want {
		t.Errorf("move again: %v\n%s", err, complaint)
	}

	c.data, c.flags = t.TempDir(), database
	p = c.start()
	if got := p.mustSend("GET", "/Users/"+anna, "", 200)["userName"]; got != "anna@contoso.test" {
		t.Errorf("userName %v", got)
	}
	p.mustSend("POST", "/Users", `{"userName":"cleo@contoso.test"}`, 201)
	p.kill()
	c.flags = nil
	if _, complaint, err := scimserver(t, nil, append([]string{"move", "--data", c.data}, database...)...); err == nil || !strings.Contains(complaint, "another directory is there already") {
		t.Errorf("a move over another directory: %v\n%s", err, complaint)
	}
}

func TestTheLogOfAServerTellsWhatSucceededAndWhatFailed(t *testing.T) {
	c := newTenant(t)
	p := c.start()
	p.mustSend("POST", "/Users", `{"userName":"anna@contoso.test"}`, 201)
	p.mustSend("POST", "/Users", `{"userName":"ANNA@contoso.test"}`, 409)
	status, entries := p.administer("/log?follow=true&limit=2")
	lines := strings.Split(strings.TrimSpace(entries), "\n")
	if status != http.StatusOK || len(lines) != 2 || !strings.Contains(lines[0], `"outcome":"success"`) || !strings.Contains(lines[1], `"outcome":"uniqueness"`) {
		t.Errorf("/log = %d\n%s", status, entries)
	}
	if strings.Contains(strings.ToLower(entries), "anna") || strings.Contains(entries, c.token) {
		t.Errorf("the log holds a value:\n%s", entries)
	}
}

// Bad day: kill -9 in the middle of an import. Before it, during it and after it the server runs.
func TestAnImportIntoARunningServerIsThereWholeOrNotAtAll(t *testing.T) {
	source := newTenant(t)
	p := source.start()
	anna := p.mustSend("POST", "/Users", `{"userName":"anna@contoso.test"}`, 201)["id"].(string)
	for n := range 200 {
		p.mustSend("POST", "/Users", fmt.Sprintf(`{"userName":"u%d@contoso.test"}`, n), 201)
	}
	p.mustSend("POST", "/Groups", `{"displayName":"All","members":[{"value":"`+anna+`"}]}`, 201)
	_, file := p.administer("/export")
	p.kill()
	eachEngine(t, func(t *testing.T, c *tenant) {
		t.Helper()
		manifest := filepath.Join(c.manifests, "contoso.yaml")
		running, err := os.ReadFile(manifest)
		if err != nil {
			t.Fatal(err)
		}
		suspended := strings.Replace(string(running), "spec:\n  displayName", "spec:\n  provisioning: {state: Suspended}\n  displayName", 1)
		if err := os.WriteFile(manifest, []byte(suspended), 0o600); err != nil {
			t.Fatal(err)
		}
		p := c.start()
		for _, share := range []int{1, 50, 99} {
			body, in := io.Pipe()
			ended := make(chan error, 1)
			go func() {
				_, answer, err := p.atAdminPort(http.MethodPost, "/import", body)
				_ = body.CloseWithError(io.ErrClosedPipe)
				if err == nil {
					err = fmt.Errorf("it was answered: %s", answer)
				}
				ended <- err
			}()
			// What does not fit between here and there was taken.
			if _, err := io.WriteString(in, file[:len(file)*share/100]); err != nil {
				t.Fatal(err)
			}
			p.kill()
			_ = in.CloseWithError(io.ErrClosedPipe)
			<-ended
			p = c.start()
			if status, left := p.administer("/export?log=true"); status != 200 || strings.Count(left, "\n") != 2 {
				t.Fatalf("after %d %% of the file: %d\n%s", share, status, left)
			}
		}
		status, answer, err := p.atAdminPort(http.MethodPost, "/import", strings.NewReader(file))
		if err != nil || status != 200 || answer != `{"users":201,"groups":1,"memberships":1,"entries":0}`+"\n" {
			t.Fatalf("%d %s %v", status, answer, err)
		}
		if _, again := p.administer("/export"); again != file {
			t.Error("the second export is another")
		}
		if strings.Contains(p.log.String(), "contoso.test") || strings.Contains(p.log.String(), c.token) {
			t.Errorf("the server's log holds a value or the token:\n%s", p.log)
		}
		p.kill()
		if err := os.WriteFile(manifest, running, 0o600); err != nil {
			t.Fatal(err)
		}
		p = c.start()
		if got := p.mustSend("GET", "/Users/"+anna, "", 200)["userName"]; got != "anna@contoso.test" {
			t.Errorf("userName %v", got)
		}
		p.mustSend("POST", "/Users", `{"userName":"ANNA@contoso.test"}`, 409)
	})
}
