package coding

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
)

func TestGzipIsSentToWhoeverAsksForItAndLikesItNoLess(t *testing.T) {
	const never, large, always = "never", "large", "always"
	for _, c := range []struct {
		lines []string
		want  string
	}{
		{nil, never}, {[]string{""}, never}, {[]string{"identity"}, never}, {[]string{"br"}, never}, {[]string{"gzipped"}, never},
		{[]string{"gzip"}, large}, {[]string{"GZip"}, large}, {[]string{"x-gzip"}, large}, {[]string{"gzip, deflate, br, zstd"}, large},
		{[]string{"deflate,\tgzip;q=1.0 , *;q=0.5"}, large}, {[]string{"*"}, large}, {[]string{"*;q=0.1"}, large}, {[]string{"br, *"}, large},
		{[]string{"br", "gzip"}, large}, {[]string{", ,gzip,"}, large},
		{[]string{"gzip;q=0"}, never}, {[]string{"gzip;q=0.000"}, never}, {[]string{"gzip;Q=0"}, never}, {[]string{"*, gzip;q=0"}, never},
		{[]string{"*;q=0"}, never}, {[]string{"identity;q=0"}, never}, {[]string{"gzip;q=0, identity;q=0"}, never},
		{[]string{"gzip ; q=0.001"}, large}, {[]string{"gzip;q=1."}, large},
		{[]string{"gzip;q=0.5, identity"}, never}, {[]string{"identity;q=0.5, gzip;q=0.501"}, large}, {[]string{"gzip, identity"}, large},
		{[]string{"gzip;q=0.4, *;q=0.5"}, never}, {[]string{"gzip;q=0.5, br"}, large},
		{[]string{"gzip, identity;q=0"}, always}, {[]string{"gzip, *;q=0"}, always}, {[]string{"*, identity;q=0"}, always},
		{[]string{"gzip", "*;q=0"}, always}, {[]string{"gzip;q=0.1, identity;q=0.2, *;q=0"}, never},
		{[]string{"gzip;q=1.001"}, never}, {[]string{"gzip;q=2"}, never}, {[]string{"gzip;q=-1"}, never}, {[]string{"gzip;q=0.0001"}, never},
		{[]string{"gzip;q="}, never}, {[]string{"gzip;q"}, never}, {[]string{"gzip;q=1e0"}, never}, {[]string{"gzip;level=9"}, never},
		{[]string{"gzip;q=0;q=1"}, never},
	} {
		got := never
		small, larger := Chosen(http.Header{"Accept-Encoding": c.lines}, MinSize-1), Chosen(http.Header{"Accept-Encoding": c.lines}, MinSize)
		switch {
		case small:
			got = always
		case larger:
			got = large
		}
		if got != c.want || small && !larger || larger != Chosen(http.Header{"Accept-Encoding": c.lines}, -1) {
			t.Errorf("%q: %s, want %s", c.lines, got, c.want)
		}
	}
}

// wild returns bytes of which some repeat.
func wild(random *rand.Rand, n int) []byte {
	data := make([]byte, n)
	for i := range data {
		if data[i] = byte(random.Uint32()); i > 300 && i/1000%2 == 0 {
			data[i] = data[i-random.IntN(4)-290]
		}
	}
	return data
}

func TestAnyReaderOfGzipReadsAStream(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, sizes := range [][]int{{}, {0}, {1}, {portion}, {portion + 1}, {5, 0, 70_000}, {300_000}, {1 << 20, 3}} {
		var whole, sent bytes.Buffer
		stream := &Stream{Out: &sent}
		for _, size := range sizes {
			data := wild(random, size)
			whole.Write(data)
			if n, err := stream.Write(data); n != size || err != nil {
				t.Fatalf("%v: wrote %d (%v)", sizes, n, err)
			}
			if size > 0 { // what was written so far can be read before the stream ends, and is not taken for the whole
				reader, err := gzip.NewReader(bytes.NewReader(sent.Bytes()))
				if err != nil {
					t.Fatal(err)
				}
				if got, err := io.ReadAll(reader); !errors.Is(err, io.ErrUnexpectedEOF) || !bytes.Equal(got, whole.Bytes()) {
					t.Errorf("%v: %d of %d bytes before the end (%v)", sizes, len(got), whole.Len(), err)
				}
			}
		}
		if err := stream.Close(); err != nil {
			t.Fatal(err)
		}
		reader, err := gzip.NewReader(&sent)
		if err != nil {
			t.Fatal(err)
		}
		reader.Multistream(false)
		if got, err := io.ReadAll(reader); err != nil || !bytes.Equal(got, whole.Bytes()) || sent.Len() > 0 {
			t.Errorf("%v: %d bytes of %d came back, %d are behind the end (%v)", sizes, len(got), whole.Len(), sent.Len(), err)
		}
	}
}

// limited takes so many bytes.
type limited struct{ left int }

var errFull = errors.New("full")

func (l *limited) Write(data []byte) (int, error) {
	if l.left -= len(data); l.left < 0 {
		return 0, errFull
	}
	return len(data), nil
}

func TestAStreamTellsThatItsClientHasGone(t *testing.T) {
	stream := &Stream{Out: &limited{1000}}
	if _, err := stream.Write(wild(rand.New(rand.NewPCG(1, 2)), 1<<20)); !errors.Is(err, errFull) {
		t.Errorf("write: %v", err)
	}
	if err := (&Stream{Out: &limited{}}).Close(); !errors.Is(err, errFull) {
		t.Errorf("close: %v", err)
	}
}

func TestAStreamHoldsNoMoreThanAPortion(t *testing.T) {
	stream := &Stream{Out: io.Discard}
	if _, err := stream.Write(wild(rand.New(rand.NewPCG(1, 2)), 8<<20)); err != nil {
		t.Fatal(err)
	}
	if held := stream.made.Cap(); held > 4*portion {
		t.Errorf("it holds %d KiB", held>>10)
	}
}

func BenchmarkPortion(b *testing.B) {
	data := []byte(strings.Repeat(`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"anna.k@contoso.com","active":true},`, 640)[:portion])
	stream := &Stream{Out: io.Discard}
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := stream.Write(data); err != nil {
			b.Fatal(err)
		}
	}
}
