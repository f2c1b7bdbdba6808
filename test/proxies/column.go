//go:build linux

package main

import (
	"cmp"
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

// column is what was seen through one proxy.
type column struct {
	proxy   proxy
	running *running
	server  *server
	base    string
	caFile  string
	client  *http.Client
	cells   []cell
}

// cell is what one step saw, and whether the recipe holds by it.
type cell struct {
	step, saw string
	holds     bool
}

func newColumn(p proxy, at *running, s *server, authorities *x509.CertPool, caFile string) *column {
	transport := &http.Transport{TLSClientConfig: trusting(authorities), ExpectContinueTimeout: 5 * time.Second}
	return &column{
		proxy: p, running: at, server: s, base: at.url + v1alpha1.BasePath, caFile: caFile,
		client: &http.Client{Transport: transport, Timeout: time.Minute},
	}
}

func (c *column) note(step string, holds bool, saw string, values ...any) {
	c.cells = append(c.cells, cell{step, fmt.Sprintf(saw, values...), holds})
}

// verdict is an error where the recipe does not hold, or where a proxy that is there to refuse refuses nothing.
func (c *column) verdict() error {
	var wrong []string
	for _, cell := range c.cells {
		if !cell.holds {
			wrong = append(wrong, cell.step+": "+cell.saw)
		}
	}
	switch {
	case c.proxy.refuses && len(wrong) == 0:
		return fmt.Errorf("%s refuses nothing any more", c.proxy.name)
	case !c.proxy.refuses && len(wrong) > 0:
		return fmt.Errorf("the recipe for %s does not hold: %s", c.proxy.name, strings.Join(wrong, "; "))
	}
	return nil
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   map[string]any // nil where it is not SCIM's
	// compressed tells that the body came compressed.
	compressed bool
}

// String is the status, and what kind of a body it has where that is not SCIM's.
func (a answer) String() string {
	if a.body != nil || a.status == http.StatusNoContent || a.status == http.StatusNotModified {
		return fmt.Sprint(a.status)
	}
	media, _, _ := mime.ParseMediaType(a.header.Get("Content-Type"))
	return fmt.Sprintf("%d %s", a.status, cmp.Or(strings.TrimPrefix(media, "text/"), "empty"))
}

// ask sends a request through the proxy, with header lines in pairs.
func (c *column) ask(ctx context.Context, method, path, body string, header ...string) (answer, error) {
	request, err := http.NewRequestWithContext(ctx, method, c.base+path, strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	request.Header.Set("Authorization", "Bearer "+c.server.token)
	if body != "" {
		request.Header.Set("Content-Type", "application/scim+json")
	}
	for pair := range slices.Chunk(header, 2) {
		request.Header.Set(pair[0], pair[1])
	}
	response, err := c.client.Do(request)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return answer{}, err
	}
	a := answer{status: response.StatusCode, header: response.Header, compressed: response.Uncompressed}
	if media, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type")); media == "application/scim+json" {
		_ = json.Unmarshal(text, &a.body)
	}
	return a, nil
}

// expect asks, and notes whether the answer has one of these statuses and SCIM's form.
func (c *column) expect(ctx context.Context, step string, want int, method, path, body string, header ...string) answer {
	got, err := c.ask(ctx, method, path, body, header...)
	if err != nil {
		c.note(step, false, "%s", brief(err))
		return got
	}
	c.note(step, got.status == want && (got.body != nil || want == http.StatusNoContent), "%s", got)
	return got
}

// brief is the innermost error, which has no address.
func brief(err error) string {
	for errors.Unwrap(err) != nil {
		err = errors.Unwrap(err)
	}
	return err.Error()
}

// write writes the table in Markdown: a row is a step, a column a proxy.
func write(out io.Writer, programs *programs, columns []*column) {
	w := tabwriter.NewWriter(out, 0, 0, 1, ' ', tabwriter.DiscardEmptyColumns)
	row := func(first string, of func(*column) string) {
		fmt.Fprint(w, "| ", first)
		for _, c := range columns {
			fmt.Fprint(w, "\t| ", of(c))
		}
		fmt.Fprintln(w, "\t|")
	}
	row("", func(c *column) string { return c.proxy.name })
	row("---", func(*column) string { return "---" })
	row("version", func(c *column) string { return programs.versions[c.proxy.pkg] })
	for i := range columns[0].cells {
		row(columns[0].cells[i].step, func(c *column) string {
			if c.cells[i].holds {
				return c.cells[i].saw
			}
			return "**" + c.cells[i].saw + "**"
		})
	}
	_ = w.Flush()
}
