package schema

// About how many bytes the parts of a JSON text take once Decode has taken it apart, beside their own. Go makes room for eight members with
// the first of an object, so an object of one short member takes fifty times its text.
const (
	objectWeight = 340
	emptyWeight  = 64 // of an object without members
	arrayWeight  = 40
	valueWeight  = 24 // of each behind a comma
	memberWeight = 16
)

// Weight is about how many bytes of memory Decode would take for a JSON text, in one pass over it. Whether it is JSON is not looked at.
func Weight(data []byte) int {
	weight, inString := len(data), false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' && i+1 < len(data) && data[i+1] == '}':
			weight += emptyWeight
		case c == '{':
			weight += objectWeight
		case c == '[':
			weight += arrayWeight
		case c == ',':
			weight += valueWeight
		case c == ':':
			weight += memberWeight
		}
	}
	return weight
}
