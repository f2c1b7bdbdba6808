package protocol

import (
	"net/http"
	"strconv"
	"time"

	"github.com/tenantry/tenantry/scimserver/settings"
	"github.com/tenantry/tenantry/scimserver/share"
	"github.com/tenantry/tenantry/scimserver/throttle"
)

const (
	// MaxInFlight is how many requests are worked on at once. More would only wait for the same processors and disk.
	MaxInFlight = 256
	// MaxLargeBodies is how many bytes the bodies above SmallBody can have together. Taken apart, a body takes up to ten times its
	// size in memory.
	MaxLargeBodies = 12 << 20

	// togetherTimes is how many times spec.rateLimit all readers together may ask, and all people together. Each of them has spec.rateLimit as the
	// provisioning client has, which would wait for processors where all 32 readers had theirs at once.
	togetherTimes = 4
	// worthOne is how many bytes of a body beyond SmallBody, and of an answer, are worth one more request.
	worthOne = 64 << 10

	// retryBusy is the Retry-After, in seconds, while too much is asked at once.
	retryBusy = "1"
)

// Places divides the MaxInFlight requests that are worked on at once. Entra sends a handful at a time. A reader's 32 and a person's 4 are
// more than as many processors can work on; the token endpoint is for strangers, because it is not known yet who asks there.
func Places() share.Division {
	return share.Division{
		Size:         MaxInFlight,
		Provisioners: share.Share{Each: 128, Together: 192},
		Readers:      share.Share{Each: 32, Together: 96},
		People:       share.Share{Each: 4, Together: 64},
		Strangers:    32,
	}
}

// LargeBodies divides MaxLargeBodies bytes. Readers send searches, which are small; people send nothing. Strangers' are token requests
// above smallTokenRequest.
func LargeBodies() share.Division {
	return share.Division{
		Size:         MaxLargeBodies,
		Provisioners: share.Share{Each: 2 * MaxBody, Together: MaxLargeBodies},
		Readers:      share.Share{Each: MaxBody, Together: MaxBody},
		Strangers:    16 * maxTokenRequest,
	}
}

// limits keep the server's work within bounds.
type limits struct {
	now      func() time.Time
	throttle throttle.Throttle // of credentials and strangers
	readers  throttle.Throttle
	people   throttle.Throttle
	refused  func(pool string, class share.Class)
	places   *share.Pool
	bodies   *share.Pool
	answers  *answers
	waiting  *share.Pool
	pace     pace
}

func newLimits(now func() time.Time, refused func(pool string, class share.Class)) *limits {
	l := &limits{
		now: now, refused: refused, readers: throttle.Throttle{Together: togetherTimes}, people: throttle.Throttle{Together: togetherTimes},
		places: share.NewPool(Places()), bodies: share.NewPool(LargeBodies()), answers: newAnswers(Answers()), pace: defaultPace(),
		waiting: share.NewPool(Waiting()),
	}
	l.places.Refused = func(class share.Class) { refused("requests", class) }
	l.bodies.Refused = func(class share.Class) { refused("bodies", class) }
	l.waiting.Refused = func(class share.Class) { refused("waiting", class) }
	l.answers.refused = func(class share.Class) { refused("answers", class) }
	return l
}

// limit is what the tenant's settings let each client ask; ok is false where they set none.
func limit(current *settings.Snapshot) (l throttle.Limit, ok bool) {
	spec := current.Tenant.Spec.RateLimit
	if spec.RequestsPerSecond == nil || spec.Burst == nil {
		return throttle.Limit{}, false
	}
	return throttle.Limit{PerSecond: int(*spec.RequestsPerSecond), Burst: int(*spec.Burst)}, true
}

// allowance is where a client's requests are counted, and by what ID. Everybody without a valid credential is one client, throttle.Stranger:
// behind an ingress no address can be believed, and what is counted by address has no end.
func (l *limits) allowance(client share.Client) (t *throttle.Throttle, id string) {
	switch client.Class {
	case share.Person:
		return &l.people, client.ID
	case share.Reader:
		return &l.readers, client.ID
	case share.Provisioner:
		return &l.throttle, client.ID
	default:
		return &l.throttle, throttle.Stranger
	}
}

// admit lets a request of a client in, or returns the answer 429.
func (l *limits) admit(current *settings.Snapshot, client share.Client) error {
	limit, ok := limit(current)
	if !ok {
		return nil
	}
	throttled, id := l.allowance(client)
	wait := throttled.Take(id, limit, l.now())
	if wait == 0 {
		return nil
	}
	l.refused("rate", client.Class)
	who := "this credential sends"
	switch client.Class {
	case share.Stranger:
		who = "clients without a valid credential send"
	case share.Reader:
		who = "this reader sends, or all readers together send " + strconv.Itoa(togetherTimes) + " times,"
	case share.Person:
		who = "this person sends, or all people together send " + strconv.Itoa(togetherTimes) + " times,"
	}
	return &Error{
		Status: http.StatusTooManyRequests, RetryAfter: strconv.Itoa(int((wait + time.Second - 1) / time.Second)),
		Detail: who + " more than " + strconv.Itoa(limit.PerSecond) + " requests a second (spec.rateLimit); a large request counts as several",
	}
}

// charge counts a request that was let in and is worth more than one as n more.
func (l *limits) charge(current *settings.Snapshot, client share.Client, n int) {
	if limit, ok := limit(current); ok && n > 0 {
		throttled, id := l.allowance(client)
		throttled.Charge(id, limit, l.now(), n)
	}
}

// enter takes a place among the requests that are worked on, to be released when the request is answered.
func (l *limits) enter(client share.Client) (share.Held, error) {
	place, ok := l.places.TryTake(client, 1)
	if !ok {
		return share.Held{}, busy("as many requests are worked on as there can be of this client, or of all clients like it")
	}
	return place, nil
}

func busy(detail string) *Error {
	return &Error{Status: http.StatusServiceUnavailable, RetryAfter: retryBusy, Detail: detail}
}
