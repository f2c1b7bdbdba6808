package admin

import (
	"net/http"
	"strconv"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/scimserver/auth"
	"github.com/tenantry/tenantry/scimserver/transfer"
)

// export sends the whole directory as package transfer writes it. Its last line is missing where something went wrong.
func (s *server) export(w http.ResponseWriter, r *http.Request) {
	permitted := func() (auth.Identity, error) { return s.authorize(r, token.RoleProvisioner) }
	caller, err := permitted()
	if err != nil {
		s.refuse(w, err)
		return
	}
	parameters, err := readable(r.URL.RawQuery)
	if err != nil {
		s.refuse(w, err)
		return
	}
	var options transfer.Options
	for name, given := range parameters {
		var err error
		if options.Log, err = strconv.ParseBool(given[0]); err != nil || name != "log" || len(given) > 1 {
			s.refuse(w, &refusal{http.StatusBadRequest, "the only parameter is log, true or false"})
			return
		}
	}
	place, err := s.exporting.enter(caller)
	if err != nil {
		s.refuse(w, err)
		return
	}
	defer place.Release()
	out, err := newStream(w, s.Clock, func() error { _, err := permitted(); return err })
	if err != nil {
		s.refuse(w, err)
		return
	}
	out.pace = exportPace
	_, err = transfer.Export(r.Context(), s.Store, out, options)
	s.finish(out, r, err)
}
