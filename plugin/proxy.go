package plugin

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/google/uuid"
)

// The steps here go the way of a write, because a proxy or firewall that lets every GET through may still refuse each write. None of
// them changes anything or leaves an entry in the provisioning log: a search is a read, also for a reader's token, and the server
// answers a method that a discovery endpoint does not offer with 405 before it looks at the token's role.

const (
	scimType     = "application/scim+json"
	searchSchema = "urn:ietf:params:scim:api:messages:2.0:SearchRequest"

	// largeBlank is how many blanks make a search a body of just below 4 MiB, which is what the server takes.
	largeBlank = 4<<20 - 1<<10
	// groupSize is how many members the large group has. Firewalls count the values of a JSON body, and many take at most 1,000.
	groupSize = 1000
)

// The names of steps that others need.
const (
	pageStep  = "Users, a page of one"
	errorStep = "an error"
)

// Advice where something before the server refuses. The Core Rule Set is named because most firewalls use it or rules like it, and
// the number of a rule is what their logs show.
const (
	takeMediaType = "Let application/scim+json through with POST, PUT and PATCH. The Core Rule Set refuses it by rule 920420: " +
		"add it to tx.allowed_request_content_type."
	takeMethod = "Let %s through below the Tenant URL. The Core Rule Set refuses it by rule 911100: add it to tx.allowed_methods."
	takeValues = "Let JSON with many values through, or large groups are refused. ModSecurity takes 1,000, and refuses more by rule 200002: " +
		"raise SecArgumentsLimit."
	takeBody = "Let bodies of 4 MiB through, or large groups are refused. nginx takes 1 MiB unless client_max_body_size says more, " +
		"ModSecurity 128 KiB unless SecRequestBodyNoFilesLimit does."
	leaveErrors = "Let errors through as the server writes them, with Retry-After: switch off what replaces them, such as " +
		"proxy_intercept_errors of nginx or ProxyErrorOverride of Apache."
	leaveTags = "Let the headers ETag, If-Match and If-None-Match through as they are, or no client can tell that somebody else changed a user. " +
		"A suffix such as -gzip, which some proxies add when they compress, is understood."
)

// searches asks for a user that cannot exist by POST, with body after the filter. Each failure before the server asks for action.
func (w *walk) searches(body func() string, found, action string) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		search := fmt.Sprintf(`{"schemas":[%q],"filter":"userName eq \"%s\""%s}`, searchSchema, uuid.New(), body())
		answered, err := w.asker.send(ctx, w.asker.secret, call{
			method: http.MethodPost, path: "Users/.search", header: map[string]string{"Content-Type": scimType}, body: search,
		})
		if err != nil {
			return "", &fault{w.fault(err).what, action}
		}
		if answered.status != http.StatusOK {
			return "", w.refused(answered, action)
		}
		list, err := w.list(answered, nil)
		if err != nil {
			return "", err
		}
		if list.TotalResults != 0 {
			return "", incompatible("a user that does not exist is found")
		}
		return found, nil
	}
}

func noMore() string { return "" }

// manyMembers are those of a large group; a search passes them over.
func manyMembers() string {
	return `,"members":[` + strings.TrimSuffix(strings.Repeat(fmt.Sprintf(`{"value":"%s"},`, uuid.New()), groupSize), ",") + `]`
}

func blanks() string { return strings.Repeat(" ", largeBlank) }

// anError asks for a schema that does not exist, to see whether a proxy puts a page of its own in place of an error.
func (w *walk) anError(ctx context.Context) (string, error) {
	answered, err := w.asker.get(ctx, w.asker.secret, "Schemas/urn:uuid:"+uuid.NewString(), "")
	if err != nil {
		return "", err
	}
	if _, ours := explanation(answered.body); answered.status != http.StatusNotFound || !ours {
		return "", w.refused(answered, leaveErrors)
	}
	return "comes as the server wrote it", nil
}

// reaches asks for a change of ServiceProviderConfig, which the server offers to nobody.
func (w *walk) reaches(method string) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		action := fmt.Sprintf(takeMethod, method)
		answered, err := w.asker.send(ctx, w.asker.secret, call{method: method, path: "ServiceProviderConfig"})
		if err != nil {
			return "", &fault{w.fault(err).what, action}
		}
		if _, ours := explanation(answered.body); answered.status != http.StatusMethodNotAllowed || !ours {
			return "", w.refused(answered, action)
		}
		return "reaches the server", nil
	}
}

// tag looks at one user, compressed where the proxy compresses (net/http asks for gzip by itself), and asks whether it has changed: the
// server says that it has not if it is sent the tag that it gave, or that tag with a suffix that it knows.
func (w *walk) tag(ctx context.Context) (string, error) {
	_, first, err := w.one(ctx, "Users", "startIndex=1&count=1")
	if err != nil {
		return "", err
	}
	if first == nil {
		return "", notAsked("there is no user yet whose tag could be looked at")
	}
	id, _ := first["id"].(string)
	path := "Users/" + url.PathEscape(id)
	const query = "excludedAttributes=groups" // which change without the version
	tag, version, err := w.versionOf(w.asker.get(ctx, w.asker.secret, path, query))
	if err != nil {
		return "", err
	}
	if tag == "" {
		return "", &fault{"an answer has no ETag, and the user has the version " + version, leaveTags}
	}
	answered, err := w.asker.send(ctx, w.asker.secret,
		call{method: http.MethodGet, path: path, query: query, header: map[string]string{"If-None-Match": tag}})
	if err == nil && answered.status == http.StatusNotModified {
		if tag != version {
			return fmt.Sprintf("%s is understood, in place of %s", clean(tag), version), nil
		}
		return tag + " is understood", nil
	}
	_, now, err := w.versionOf(answered, err)
	switch {
	case err != nil:
		return "", err
	case now != version:
		return "", notAsked("the user was changed meanwhile")
	case tag != version:
		return "", &fault{fmt.Sprintf("the ETag of version %s is %s, which the server does not understand", version, clean(tag)), leaveTags}
	default:
		return "", &fault{"If-None-Match with the version " + version + " is answered as if it was not sent", leaveTags}
	}
}

// versionOf returns the header ETag and the meta.version of a user.
func (w *walk) versionOf(answered *answer, err error) (tag, version string, _ error) {
	var user struct{ Meta struct{ Version string } }
	if err := w.decode(answered, err, &user); err != nil {
		return "", "", err
	}
	if user.Meta.Version == "" {
		return "", "", incompatible("a user has no meta.version")
	}
	return answered.header.Get("ETag"), clean(user.Meta.Version), nil
}

// refused judges an answer that should have been the server's: by its status, its type and the name that its sender gives itself, and
// never by its page, which may repeat what was sent.
func (w *walk) refused(answered *answer, action string) *fault {
	if _, ours := explanation(answered.body); ours || answered.status >= 300 && answered.status < 400 {
		return w.unexpected(answered)
	}
	what := fmt.Sprintf("%d %s", answered.status, http.StatusText(answered.status))
	from := "what stands before the server"
	if name := clean(answered.header.Get("Server")); name != "" {
		from += ", which calls itself " + name
	}
	return &fault{fmt.Sprintf("%s as %s, by %s", what, media(answered), from), action}
}
