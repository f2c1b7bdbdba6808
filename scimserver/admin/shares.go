package admin

import (
	"net/http"
	"strconv"

	"github.com/tenantry/tenantry/scimserver/auth"
	"github.com/tenantry/tenantry/scimserver/share"
)

// Followers divides those who follow the provisioning log: each holds a connection for as long as it likes.
func Followers() share.Division {
	return share.Division{
		Size:         8,
		Provisioners: share.Share{Each: 4, Together: 8},
		Readers:      share.Share{Each: 2, Together: 5},
	}
}

// Queries divides the requests for the log that follow nothing. People send them, one after the other.
func Queries() share.Division {
	return share.Division{
		Size: 12, Provisioners: share.Share{Each: 4, Together: 8}, Readers: share.Share{Each: 2, Together: 8},
	}
}

// Transfers is for exports, and for imports: one at a time, and no reader's.
func Transfers() share.Division {
	return share.Division{Size: 1, Provisioners: share.Share{Each: 1, Together: 1}}
}

// pool is a limited number of places, and what those do who have them.
type pool struct {
	*share.Pool
	size int64
	what string
}

func (s *server) pool(name, what string, d share.Division) pool {
	places := share.NewPool(d)
	if s.Refused != nil {
		places.Refused = func(class share.Class) { s.Refused(name, class) }
	}
	return pool{places, d.Size, what}
}

// enter takes a place for a caller, to be released when the request is answered.
func (p pool) enter(caller auth.Identity) (share.Held, error) {
	place, ok := p.TryTake(caller.AsClient(), 1)
	if ok {
		return place, nil
	}
	held, _ := p.Held()
	if held < p.size {
		return place, &refusal{http.StatusTooManyRequests, "this credential, or all like it, has its share of those who " + p.what + ": try again later"}
	}
	return place, &refusal{
		http.StatusTooManyRequests, "there are " + strconv.FormatInt(p.size, 10) + " already who " + p.what + ": try again later",
	}
}
