package protocol

import (
	"fmt"
	"net/http"

	"github.com/tenantry/tenantry/scimserver/directory"
	"github.com/tenantry/tenantry/scimserver/store"
)

const listSchema = "urn:ietf:params:scim:api:messages:2.0:ListResponse"

func (s *Server) list(r *request, kind store.Kind) error {
	start, err := number(r.http, "startIndex", 1)
	if err != nil {
		return err
	}
	count, err := number(r.http, "count", DefaultCount)
	if err != nil {
		return err
	}
	start, count = max(start, 1), min(max(count, 0), MaxCount)
	list, err := s.directory.List(r.context(), kind, directory.Query{
		Filter: r.http.URL.Query().Get("filter"), Offset: start - 1, Limit: count, Want: s.wants(r, kind),
	})
	if err != nil {
		return err
	}
	// An empty list is [] and never null, which Entra cannot read.
	out := fmt.Appendf(nil, `{"schemas":[%q],"totalResults":%d,"startIndex":%d,"itemsPerPage":%d,"Resources":[`,
		listSchema, list.Total, start, len(list.Resources))
	for i := range list.Resources {
		rendered, err := s.render(r, &list.Resources[i])
		if err != nil {
			return err
		}
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, rendered...)
	}
	send(r.out, http.StatusOK, append(out, "]}"...))
	return nil
}
