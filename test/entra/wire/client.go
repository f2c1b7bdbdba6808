package wire

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// The two endpoints that Entra uses.
const (
	Users  = "Users"
	Groups = "Groups"
)

// maxBody bounds what is read of an answer: a group of 100,000 members has about 10 MB.
const maxBody = 64 << 20

// Client sends requests to one tenant's server as the provisioning service does. Its methods are safe for concurrent
// use.
type Client struct {
	// Base is the Tenant URL as [ParseTenantURL] returns it.
	Base string
	// Token is the Secret Token.
	Token string
	HTTP  *http.Client
	Meter *Meter
	Pace  *Pace
}

// Find looks a resource up by filter, RFC 7644 section 3.4.2.2. It returns nil where there is none; more than one is an
// error. For groups it asks the server to leave the members out, and holds it to that.
func (c *Client) Find(ctx context.Context, resource, filter string) (Resource, error) {
	query := "filter=" + url.QueryEscape(filter)
	if resource == Groups {
		query = "excludedAttributes=members&" + query
	}
	list, err := c.list(ctx, resource, query)
	if err != nil {
		return nil, err
	}
	switch {
	case len(list.Resources) > 1 || list.TotalResults > 1:
		return nil, &Error{Code: MultipleEntries, Method: "GET", Resource: resource, Status: 200,
			Detail: fmt.Sprintf("%d resources answer one look-up", max(len(list.Resources), list.TotalResults))}
	case len(list.Resources) == 0:
		return nil, nil
	}
	found := list.Resources[0]
	if found.ID() == "" {
		return nil, incompatible("GET", resource, 200, "the resource found has no id")
	}
	if resource == Groups && lookup(found, "members") != nil {
		return nil, &Error{Code: MultipleEntries, Method: "GET", Resource: resource, Status: 200,
			Detail: "the group has members although excludedAttributes=members was asked"}
	}
	return found, nil
}

// Exists asks whether any resource answers the filter, without reading it.
func (c *Client) Exists(ctx context.Context, resource, filter string) (bool, error) {
	list, err := c.list(ctx, resource, "filter="+url.QueryEscape(filter)+"&attributes=id")
	return err == nil && len(list.Resources) > 0, err
}

// Page reads one page of a resource type, RFC 7644 section 3.4.2.4: the resources, and how many there are in all.
func (c *Client) Page(ctx context.Context, resource string, startIndex, count int) ([]Resource, int, error) {
	list, err := c.list(ctx, resource, "startIndex="+strconv.Itoa(startIndex)+"&count="+strconv.Itoa(count))
	if err != nil {
		return nil, 0, err
	}
	if list.StartIndex != startIndex {
		return nil, 0, incompatible("GET", resource, 200,
			fmt.Sprintf("asked for startIndex %d, answered %d", startIndex, list.StartIndex))
	}
	return list.Resources, list.TotalResults, nil
}

// Get reads one resource by its id.
func (c *Client) Get(ctx context.Context, resource, id string) (Resource, error) {
	path := resource + "/" + url.PathEscape(id)
	if resource == Groups {
		path += "?excludedAttributes=members"
	}
	var r Resource
	status, err := c.do(ctx, "GET", resource, path, nil, &r, http.StatusOK)
	if err == nil && r.ID() != id {
		return nil, incompatible("GET", resource, status, "the id of the resource is not the one asked for")
	}
	return r, err
}

// Create posts a resource and returns what the server made of it. Without an id in the answer it is of no use.
func (c *Client) Create(ctx context.Context, resource string, body Resource) (Resource, error) {
	var r Resource
	status, err := c.do(ctx, "POST", resource, resource, body, &r, http.StatusCreated, http.StatusOK)
	if err == nil && r.ID() == "" {
		return nil, incompatible("POST", resource, status, "the answer has no id")
	}
	return r, err
}

// Patch changes a resource. An answer with or without a body will do.
func (c *Client) Patch(ctx context.Context, resource, id string, ops []Operation) error {
	_, err := c.do(ctx, "PATCH", resource, resource+"/"+url.PathEscape(id), PatchBody(ops), nil,
		http.StatusOK, http.StatusNoContent)
	return err
}

// Delete removes a resource. One that is gone already is as good.
func (c *Client) Delete(ctx context.Context, resource, id string) error {
	_, err := c.do(ctx, "DELETE", resource, resource+"/"+url.PathEscape(id), nil, nil,
		http.StatusNoContent, http.StatusOK, http.StatusNotFound)
	return err
}

type listResponse struct {
	Schemas      []string   `json:"schemas"`
	TotalResults int        `json:"totalResults"`
	StartIndex   int        `json:"startIndex"`
	Resources    []Resource `json:"Resources"`
}

func (c *Client) list(ctx context.Context, resource, query string) (*listResponse, error) {
	var list listResponse
	status, err := c.do(ctx, "GET", resource, resource+"?"+query, nil, &list, http.StatusOK)
	switch {
	case err != nil:
		return nil, err
	case !slices.Contains(list.Schemas, "urn:ietf:params:scim:api:messages:2.0:ListResponse"):
		return nil, incompatible("GET", resource, status, "the answer is no ListResponse")
	case list.Resources == nil:
		return nil, incompatible("GET", resource, status, "Resources is not an array; an empty list is []")
	}
	return &list, nil
}

func incompatible(method, resource string, status int, detail string) *Error {
	return &Error{Code: ServiceIncompatible, Method: method, Resource: resource, Status: status, Detail: detail}
}

// do sends one request and judges the answer. path is below the base, with its query.
func (c *Client) do(ctx context.Context, method, resource, path string, body, into any, expect ...int) (int, error) {
	if err := c.Pace.wait(ctx); err != nil {
		return 0, err
	}
	var payload io.Reader
	if body != nil {
		payload = bytes.NewReader(encode(body))
	}
	req, err := http.NewRequestWithContext(ctx, method, c.Base+"/"+path, payload)
	if err != nil {
		return 0, incompatible(method, resource, 0, "the address cannot be asked")
	}
	req.Header.Set("Authorization", "Bearer "+c.Token)
	req.Header.Set("User-Agent", "") // the service sends none, and Go does unless told
	if body != nil {
		req.Header.Set("Content-Type", "application/scim+json; charset=utf-8")
	}

	done := c.Meter.start(method)
	res, err := c.HTTP.Do(req)
	if err != nil {
		done(0)
		return 0, unanswered(ctx, method, resource, err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxBody))
	done(res.StatusCode)
	if err != nil {
		return res.StatusCode, unanswered(ctx, method, resource, err)
	}
	if !slices.Contains(expect, res.StatusCode) {
		code, endpoint := codeOf(res.StatusCode, strings.Contains(path, "/"))
		return res.StatusCode, &Error{Code: code, Method: method, Resource: resource, Status: res.StatusCode,
			Detail: detailOf(answer), Endpoint: endpoint}
	}
	if into != nil {
		if err := json.Unmarshal(answer, into); err != nil {
			return res.StatusCode, incompatible(method, resource, res.StatusCode, "the answer is not the JSON expected")
		}
	}
	return res.StatusCode, nil
}

// unanswered sorts the ways of getting no answer. The error of net/http is not passed on as it is: it quotes the URL,
// which quotes a person's name.
func unanswered(ctx context.Context, method, resource string, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	e := &Error{Code: HostUnreachable, Method: method, Resource: resource, Detail: "the connection broke"}
	var timeout net.Error
	var dial *net.OpError
	switch {
	case errors.As(err, &timeout) && timeout.Timeout():
		e.Code, e.Detail = Timeout, "no answer in time"
	case errors.As(err, &dial) && dial.Op == "dial":
		e.Detail = dial.Error()
	default:
		if u, ok := errors.AsType[*url.Error](err); ok {
			e.Detail = u.Err.Error()
		}
	}
	return e
}

// detailOf shortens a server's explanation to one line: the detail of a SCIM error, otherwise the start of the body.
func detailOf(body []byte) string {
	var scim struct{ ScimType, Detail string }
	text := string(body)
	if json.Unmarshal(body, &scim) == nil && scim.Detail != "" {
		text = strings.TrimSpace(scim.ScimType + " " + scim.Detail)
	}
	if r := []rune(strings.Join(strings.Fields(text), " ")); len(r) > 200 {
		return string(r[:200]) + "…"
	} else if len(r) > 0 {
		return string(r)
	}
	return "no explanation"
}
