package plugin

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/http/httptrace"
	"slices"
	"strings"
	"time"
)

// maxAnswer bounds what is read of an answer, in bytes. Schemas are the largest.
const maxAnswer = 8 << 20

// asker sends requests as Entra does.
type asker struct {
	base, secret string
	http         *http.Client
}

func newAsker(base, secret string, authorities *x509.CertPool, timeout time.Duration) asker {
	return asker{base, secret, &http.Client{
		Timeout: timeout,
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment,
			TLSClientConfig: &tls.Config{ //nolint:gosec // Microsoft's documents name TLS 1.2, so a server must not insist on more
				RootCAs: authorities, MinVersion: tls.VersionTLS12, MaxVersion: tls.VersionTLS12,
			},
		},
		// A redirect would take the token to another place.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   []byte
	// way is who answered, by which connection.
	way string
}

// call is what is sent to something below the Tenant URL.
type call struct {
	method, path, query string
	header              map[string]string
	body                string
}

// get asks for something below the Tenant URL, without a token where secret is "".
func (a *asker) get(ctx context.Context, secret, path, query string) (*answer, error) {
	return a.send(ctx, secret, call{method: http.MethodGet, path: path, query: query})
}

// send sends a call, without a token where secret is "".
func (a *asker) send(ctx context.Context, secret string, c call) (*answer, error) {
	var way string
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(info httptrace.GotConnInfo) { way = info.Conn.RemoteAddr().String() },
	})
	to := a.base + "/" + c.path
	if c.query != "" {
		to += "?" + c.query
	}
	sent, err := http.NewRequestWithContext(ctx, c.method, to, strings.NewReader(c.body))
	if err != nil {
		return nil, err
	}
	for name, value := range c.header {
		sent.Header.Set(name, value)
	}
	sent.Header.Set("User-Agent", "") // Entra sends none, and Go does unless told
	if secret != "" {
		sent.Header.Set("Authorization", "Bearer "+secret)
	}
	response, err := a.http.Do(sent)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return nil, err
	}
	way += " answers"
	if response.TLS != nil {
		way += fmt.Sprintf(" with %s, certificate until %s",
			tls.VersionName(response.TLS.Version), response.TLS.PeerCertificates[0].NotAfter.UTC().Format(time.DateOnly))
	}
	return &answer{response.StatusCode, response.Header, body, way}, nil
}

// resource is a user, group, schema or resource type.
type resource map[string]any

type listResponse struct {
	Schemas      []string   `json:"schemas"`
	TotalResults int        `json:"totalResults"`
	StartIndex   int        `json:"startIndex"`
	ItemsPerPage int        `json:"itemsPerPage"`
	Resources    []resource `json:"Resources"`
}

// list reads an answer that should be a ListResponse.
func (w *walk) list(answered *answer, err error) (*listResponse, error) {
	var list listResponse
	if err := w.decode(answered, err, &list); err != nil {
		return nil, err
	}
	switch {
	case !slices.Contains(list.Schemas, listSchema):
		return nil, incompatible("the answer is no ListResponse")
	case list.Resources == nil:
		return nil, incompatible("the ListResponse has no Resources; of an empty list they are []")
	}
	return &list, nil
}

// decode reads an answer, where there is one.
func (w *walk) decode(answered *answer, err error, into any) error {
	if err != nil {
		return err
	}
	if answered.status != http.StatusOK {
		return w.unexpected(answered)
	}
	if media := media(answered); media != scimType {
		return incompatible("the answer is " + media + " and not " + scimType)
	}
	if json.Unmarshal(answered.body, into) != nil {
		return incompatible("the answer is not the JSON expected")
	}
	return nil
}

// media is the type of an answer without its parameters.
func media(answered *answer) string {
	media, _, _ := mime.ParseMediaType(answered.header.Get("Content-Type"))
	return cmp.Or(clean(media), "of no type")
}
