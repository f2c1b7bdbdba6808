package wire

import (
	"errors"
	"net/url"
	"strings"
)

// Dialect is the form of PATCH that the service uses.
type Dialect string

const (
	// Legacy is the default: capitalised operations, booleans as the strings "True" and "False", one operation an
	// attribute, members removed by a value array.
	Legacy Dialect = "legacy"
	// Flagged is what the aadOptscim062020 flag turns on: RFC 7644 operations, with several attributes folded into one
	// operation without a path whose value has dotted and fully qualified keys.
	Flagged Dialect = "flagged"
)

// Flags that an administrator can append to the Tenant URL.
const (
	FlagCompliant = "aadOptscim062020"
	FlagDowngrade = "AzureAdScimPatch2017"
)

// ParseTenantURL takes a Tenant URL as administrators paste it: with spaces around it, a trailing slash, a doubled
// slash in the path, or a flag, as in ".../scim/?aadOptscim062020". It returns the base to which "/Users" is appended,
// and the dialect that a flag asks for, or "" if there is none.
func ParseTenantURL(pasted string) (base string, dialect Dialect, err error) {
	u, err := url.Parse(strings.TrimSpace(pasted))
	switch {
	case err != nil:
		return "", "", errors.New("the Tenant URL is no URL: it should look like https://contoso.example.com/scim/v2")
	case u.Scheme != "https" && u.Scheme != "http" || u.Host == "":
		return "", "", errors.New("the Tenant URL has to start with https:// and a host name")
	case u.User != nil:
		return "", "", errors.New("the Tenant URL must not hold credentials: the token goes into Secret Token")
	}
	switch {
	case u.Query().Has(FlagCompliant):
		dialect = Flagged
	case u.Query().Has(FlagDowngrade):
		dialect = Legacy
	}
	var segments []string
	for s := range strings.SplitSeq(u.EscapedPath(), "/") {
		if s != "" {
			segments = append(segments, s)
		}
	}
	base = u.Scheme + "://" + u.Host
	if len(segments) > 0 {
		base += "/" + strings.Join(segments, "/")
	}
	return base, dialect, nil
}
