package scim

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tenantry/tenantry/scimserver/filter"
	"github.com/tenantry/tenantry/scimserver/patch"
	"github.com/tenantry/tenantry/scimserver/protocol"
	"github.com/tenantry/tenantry/scimserver/schema"
)

// TestTheHandbookListsEveryAccommodation compares its table with the names that the metric can have.
func TestTheHandbookListsEveryAccommodation(t *testing.T) {
	t.Parallel()
	var want, got []string
	for _, source := range []string{"schema/lenience.go", "patch/quirks.go", "protocol/metrics.go"} {
		matches := regexp.MustCompile(`\s[qQ]uirk\w+ += "([a-z-]+)"`).FindAllStringSubmatch(readText(t, "../../scimserver/"+source), -1)
		if len(matches) == 0 {
			t.Errorf("%s has no accommodations", source)
		}
		for _, match := range matches {
			want = append(want, match[1])
		}
	}
	_, section, _ := strings.Cut(readText(t, handbook), "\n## Accommodations\n")
	section, _, _ = strings.Cut(section, "\n## ")
	for _, match := range regexp.MustCompile("(?m)^\\| `([a-z-]+)` \\|").FindAllStringSubmatch(section, -1) {
		got = append(got, match[1])
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("the handbook lists %v, the code %v", got, want)
	}
}

// TestTheHandbookGivesTheLimitsThatHold compares its numbers with the constants.
func TestTheHandbookGivesTheLimitsThatHold(t *testing.T) {
	t.Parallel()
	_, section, _ := strings.Cut(readText(t, handbook), "\n## Limits\n")
	section, _, _ = strings.Cut(section, "\n## ")
	for what, want := range map[string]string{
		"body of a request": strconv.Itoa(protocol.MaxBody>>20) + " MiB",
		"nesting of JSON":   strconv.Itoa(schema.MaxDepth) + " levels",
		"values of a multi-valued attribute other than `members`":               grouped(schema.MaxValues),
		"operations of a PATCH, after those without path are taken apart":       grouped(patch.MaxOperations),
		"of them, that replace members or choose them by more than their value": grouped(patch.MaxMemberScans),
		"comparisons with values of multi-valued attributes in a PATCH":         grouped(patch.MaxWork),
		"filter":                              grouped(filter.MaxLength) + " bytes, " + grouped(filter.MaxTerms) + " comparisons, " + grouped(filter.MaxDepth) + " levels",
		"page of a list":                      grouped(protocol.MaxCount) + " resources",
		"attributes and excludedAttributes":   grouped(protocol.MaxChosen) + " names and " + strconv.Itoa(protocol.MaxChoice>>10) + " KiB each",
		"requests that are worked on at once": grouped(protocol.MaxInFlight) + ", of which each client has [a share](operating.md#shares)",
	} {
		if row := "\n| " + what + " | " + want + " |\n"; !strings.Contains(section, row) {
			t.Errorf("the handbook lacks the row%s", row)
		}
	}
}

// grouped writes a number as people read it.
func grouped(n int) string {
	if n < 1000 {
		return strconv.Itoa(n)
	}
	return fmt.Sprintf("%s,%03d", grouped(n/1000), n%1000)
}

func readText(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
