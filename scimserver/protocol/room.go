package protocol

import (
	"context"
	"time"

	"github.com/tenantry/tenantry/scimserver/directory"
	"github.com/tenantry/tenantry/scimserver/schema"
	"github.com/tenantry/tenantry/scimserver/share"
)

const (
	// MaxAnswers is how many bytes the answers on their way to clients hold together: what was read for them and not sent yet. It leaves
	// room in a pod of 256 MiB for the server itself and for MaxLargeBodies.
	MaxAnswers = 48 << 20
	// firstBytes is how many bytes of a page's resources are read before there is room for them, by as many requests as are worked on at
	// once: nearly every page is read whole. The rest of a larger one is read by portionBytes, once there is room.
	firstBytes   = 256 << 10
	portionBytes = 1 << 20
	// recordSize is what a resource takes beside its document.
	recordSize = 512
	// decodedSize is how many times its size a document takes while a part of it is looked for.
	decodedSize = 12
	// roomWait is how long a request waits for room before it is told to come again. Others are sent on meanwhile.
	roomWait = 2 * time.Second
	// waitingBytes is how much a request may have read when it waits. As many requests as are worked on may wait with so much, and it is counted
	// nowhere. Only a resource that is large by itself is more.
	waitingBytes = 2 * firstBytes
)

// Answers divides MaxAnswers bytes. A person asks for one resource, and a reader's share is several pages of 1,000 users at once.
func Answers() share.Division {
	return share.Division{
		Size:         MaxAnswers,
		Provisioners: share.Share{Each: 24 << 20, Together: 36 << 20},
		Readers:      share.Share{Each: 12 << 20, Together: 24 << 20},
		People:       share.Share{Each: 1 << 20, Together: 8 << 20},
	}
}

// answers is the room for answers.
type answers struct {
	*share.Pool

	wait           time.Duration // roomWait, except in tests
	first, portion int           // firstBytes and portionBytes, except in tests
	refused        func(share.Class)
}

func newAnswers(d share.Division) *answers {
	return &answers{
		Pool: share.NewPool(d), wait: roomWait, first: firstBytes, portion: portionBytes, refused: func(share.Class) {},
	}
}

// holding is what a request holds of the room for answers, from when it has more than a little in hand until it is answered.
type holding struct {
	held  share.Held
	bytes int64
}

// holds takes room for what an answer is going to have in hand, unless that is little or less than the request holds. A request that holds
// nothing yet, and has not read much, waits for others to be sent.
func (r *request) holds(read, bytes int64) error {
	of := r.limits.answers
	more := min(bytes, of.Most(r.client)) - r.inHand.bytes
	switch {
	case bytes <= WholeAnswer || more <= 0:
		return nil
	case r.inHand.bytes > 0 || of.wait == 0 || read > waitingBytes:
		if r.mayHold(more) {
			return nil
		}
		return r.noRoom()
	}
	ctx, cancel := context.WithTimeout(r.context(), of.wait)
	defer cancel()
	held, err := of.Take(ctx, r.client, more)
	if err != nil {
		return r.noRoom()
	}
	r.inHand = holding{held, more}
	return nil
}

// mayHold takes more room where there is some just now.
func (r *request) mayHold(bytes int64) (ok bool) {
	if r.inHand.bytes == 0 {
		r.inHand.held, ok = r.limits.answers.TryTake(r.client, bytes)
	} else {
		ok = r.inHand.held.More(bytes)
	}
	if ok {
		r.inHand.bytes += bytes
	}
	return ok
}

func (r *request) noRoom() error {
	r.limits.answers.refused(r.client.Class)
	return busy("as much is on its way to clients as there can be of this client, or of all clients like it")
}

// weight is how many bytes resources take that were read, and how many until they are sent.
func (r *request) weight(resources []directory.Resource) (read, bytes int64) {
	largest := 0
	for i := range resources {
		document := len(resources[i].Document)
		read += int64(document) + recordSize
		if shown := r.views[resources[i].Kind]; shown != nil && shown.document == schema.Part {
			largest = max(largest, document)
		}
	}
	return read, read + int64(largest)*decodedSize
}
