package coding

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"io"

	"github.com/klauspost/compress/flate"
)

// portion is how much is compressed before it is sent.
const portion = 64 << 10

// Stream writes gzip to Out as one member (RFC 1952 section 2.2). Each Write is compressed by itself and can be read by the client at once.
// Between two of them, and while the client reads, a Stream holds no compressor, but what is being sent and a checksum: clients that read
// slowly cost no more memory than without it. Small writes are compressed badly.
type Stream struct {
	Out io.Writer

	made      bytes.Buffer
	begun     bool
	sum, size uint32 // of what was written
}

// header says that deflate follows which was made by the fastest way, and nothing of a file, its time and its system.
const header = "\x1f\x8b\x08\x00\x00\x00\x00\x00\x04\xff"

func (s *Stream) Write(data []byte) (n int, err error) {
	for n < len(data) {
		next := data[n:min(n+portion, len(data))]
		s.begin()
		if err := flate.StatelessDeflate(&s.made, next, false, nil); err != nil {
			return n, err
		}
		if err := s.flush(); err != nil {
			return n, err
		}
		s.sum, s.size = crc32.Update(s.sum, crc32.IEEETable, next), s.size+uint32(len(next))
		n += len(next)
	}
	return n, nil
}

// Close ends the member with its checksum. Without it no reader of gzip takes what it has for the whole.
func (s *Stream) Close() error {
	s.begin()
	if err := flate.StatelessDeflate(&s.made, nil, true, nil); err != nil {
		return err
	}
	s.made.Write(binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(nil, s.sum), s.size))
	return s.flush()
}

func (s *Stream) begin() {
	if !s.begun {
		s.begun = true
		s.made.WriteString(header)
	}
}

func (s *Stream) flush() error {
	_, err := s.made.WriteTo(s.Out)
	return err
}
