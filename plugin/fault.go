package plugin

import (
	"bytes"
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

const (
	errorSchema = "urn:ietf:params:scim:api:messages:2.0:Error"
	// maxWords bounds how much of a server's explanation is repeated, in characters.
	maxWords = 300
)

// fault is what is wrong, and what to do about it.
type fault struct{ what, action string }

func (f *fault) Error() string { return f.what }

// incompatible is what no server of Tenantry answers.
type incompatible string

func (i incompatible) Error() string { return string(i) }

// unexpected judges an answer that should have had another status.
func (w *walk) unexpected(answered *answer) *fault {
	detail, ours := explanation(answered.body)
	what := fmt.Sprintf("%d %s", answered.status, http.StatusText(answered.status))
	if detail != "" {
		what += ": " + detail
	}
	name := w.tenant.Name
	route := fmt.Sprintf("The answer is not the server's: see that what stands before it leads to Service %s-scim.", name)
	describe := fmt.Sprintf("See what %s says.", commandLine("describe", w.tenant, ""))
	switch {
	case answered.status >= 300 && answered.status < 400:
		if to, err := url.Parse(answered.header.Get("Location")); err == nil && to.Host != "" {
			what += " to " + clean(to.Scheme+"://"+to.Host)
		}
		return &fault{what, "Give Entra a Tenant URL that answers by itself: a token is not taken to another place."}
	case ours && answered.status == http.StatusUnauthorized:
		return &fault{what, fmt.Sprintf("The token is not one of this tenant's: %s prints the valid one.", commandLine("token", w.tenant, ""))}
	case ours && answered.status == http.StatusServiceUnavailable && remedy(detail) != "":
		return &fault{what, remedy(detail)}
	case ours && answered.status == http.StatusTooManyRequests:
		return &fault{what, "Try again later, or see spec.rateLimit of the tenant."}
	case ours:
		return &fault{what, describe}
	case answered.status == http.StatusUnauthorized, answered.status == http.StatusForbidden:
		return &fault{what, "Something before the server refuses, such as a firewall. Entra sends no User-Agent: let that in."}
	default:
		return &fault{what, route}
	}
}

// remedy is what lets a client in that the tenant's spec holds back, "" where the server's words name no field that does.
func remedy(detail string) string {
	for _, field := range []struct{ name, value string }{
		{"spec.provisioning.state", string(v1alpha1.StateActive)}, {"spec.access.state", string(v1alpha1.StateActive)},
		{"spec.provisioning.users", string(v1alpha1.SwitchEnabled)}, {"spec.provisioning.groups", string(v1alpha1.SwitchEnabled)},
	} {
		if strings.Contains(detail, "("+field.name+")") {
			return fmt.Sprintf("Set %s to %s.", field.name, field.value)
		}
	}
	return ""
}

// explanation is a server's own in one line, and whether it is a SCIM server's.
func explanation(body []byte) (string, bool) {
	var scim struct {
		Schemas []string `json:"schemas"`
		Detail  string   `json:"detail"`
	}
	if json.Unmarshal(body, &scim) == nil && slices.Contains(scim.Schemas, errorSchema) {
		return clean(scim.Detail), true
	}
	return "", false
}

// clean is one line of what a stranger wrote, fit for a terminal.
func clean(text string) string {
	text = strings.Join(strings.FieldsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }), " ")
	if runes := []rune(text); len(runes) > maxWords {
		return string(runes[:maxWords]) + "…"
	}
	return text
}

// printing writes text for a person that has words of others in it, without what would steer their terminal or turn the direction of a line.
type printing struct{ io.Writer }

// Write implements io.Writer.
func (p printing) Write(text []byte) (int, error) {
	_, err := p.Writer.Write(bytes.Map(func(r rune) rune {
		if unicode.IsPrint(r) || r == '\n' {
			return r
		}
		return ' '
	}, text))
	return len(text), err
}

// fault sorts the ways of getting no answer. An error of net/http quotes the URL, which says nothing new.
func (w *walk) fault(err error) *fault {
	if known, ok := errors.AsType[*fault](err); ok {
		return known
	}
	if other, ok := errors.AsType[incompatible](err); ok {
		return &fault{other.Error(), fmt.Sprintf("See that the URL leads to a server of Tenantry: %s prints it.", commandLine("url", w.tenant, ""))}
	}
	if outer, ok := errors.AsType[*url.Error](err); ok && !outer.Timeout() {
		err = outer.Err
	}
	at, _ := url.Parse(w.asker.base)
	host := at.Hostname()
	certificate := fmt.Sprintf("Put a valid certificate for %s in place: see spec.exposure.ingress.tls.", host)
	switch unresolved, _ := errors.AsType[*net.DNSError](err); {
	case unresolved != nil && unresolved.IsNotFound:
		return &fault{"there is no address for " + host, "Make a DNS record for it that leads to the Ingress controller or Gateway."}
	case unresolved != nil:
		return &fault{"the address of " + host + " could not be looked up: " + unresolved.Err, "See that the name servers of this machine answer."}
	}
	if _, unknown := errors.AsType[x509.UnknownAuthorityError](err); unknown {
		return &fault{"the certificate is of an authority that is not trusted here",
			"Entra takes certificates of public authorities only. For one of your own, --ca-file names it for this check."}
	}
	if other, wrong := errors.AsType[x509.HostnameError](err); wrong {
		names := cmp.Or(clean(strings.Join(other.Certificate.DNSNames, ", ")), "no name")
		return &fault{fmt.Sprintf("the certificate is for %s, not for %s", names, host), certificate}
	}
	if invalid, wrong := errors.AsType[x509.CertificateInvalidError](err); wrong {
		return &fault{"the certificate is not valid: " + clean(invalid.Error()), certificate}
	}
	if _, plain := errors.AsType[tls.RecordHeaderError](err); plain || errors.Is(err, http.ErrSchemeMismatch) {
		return &fault{"what answers speaks no TLS", "See that the Ingress controller or Gateway has TLS on this port."}
	}
	if alert, refused := errors.AsType[*net.OpError](err); refused && alert.Op == "remote error" {
		return &fault{"the TLS handshake was refused: " + alert.Err.Error(),
			"See that TLS 1.2 is switched on, which is what Microsoft's documents name, and that there is a certificate for " + host + "."}
	}
	reach := fmt.Sprintf("See %s, and that %s leads to the Ingress controller or Gateway and nothing keeps requests out.",
		commandLine("describe", w.tenant, ""), host)
	if outer, ok := errors.AsType[net.Error](err); ok && outer.Timeout() {
		return &fault{fmt.Sprintf("no answer within %s", w.asker.http.Timeout), reach}
	}
	return &fault{clean(err.Error()), reach}
}
