package schema_test

import (
	"testing"

	"github.com/tenantry/tenantry/scimserver/schema"
)

func TestDecodeReadsWhatTheLibraryDoes(t *testing.T) {
	for _, data := range []string{
		`{}`, " \t\r\n{ \t\r\n} \t\r\n", `{"":""}`,
		` { "a" : [ ] , "b" : [ { } , [ [ ] ] , null ] , "c" : { "d" : { } } } `,
		`{"a":[true,false,null,0,-0,1.50,-1.5e+3,2E-7,12345678901234567890],"b":true ,"c":1 ,"d":-2}`,
		`{"a":"\"","b":"\\","c":"\\\"","d":"\\\\","\u0065":"\ud83d\ude00\/\b\f\n\r\t","f":"[{\"x\":1}]","g,:":"}]"}`,
		"{\"a\":\"Östergötland\u2028👩‍🚀\",\"é\":\"\"}",
	} {
		decoded, err := schema.Decode([]byte(data))
		if err != nil {
			t.Errorf("%s: %v", data, err)
			continue
		}
		likeTheLibrary(t, []byte(data), decoded)
	}
}
