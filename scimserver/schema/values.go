package schema

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"time"
)

// ParseDateTime reads a dateTime (RFC 7643 section 2.3.5). Without a zone it is taken as UTC.
func ParseDateTime(s string) (time.Time, bool) {
	for _, layout := range [...]string{time.RFC3339, "2006-01-02T15:04:05"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}

// IsNumber tells whether s is a JSON number.
func IsNumber(s string) bool {
	if s == "" || s[0] != '-' && (s[0] < '0' || s[0] > '9') {
		return false
	}
	return json.Valid([]byte(s))
}

func isInteger(s string) bool { return IsNumber(s) && !strings.ContainsAny(s, ".eE") }

// isBinary accepts base64 in both alphabets, padded or not (RFC 7643 section 2.3.6).
func isBinary(s string) bool {
	encoding := base64.RawStdEncoding
	if strings.ContainsAny(s, "-_") {
		encoding = base64.RawURLEncoding
	}
	_, err := encoding.DecodeString(strings.TrimRight(s, "="))
	return err == nil
}

// ParseBoolean reads a boolean; strings are read in any case, as Entra sends "True" and "False".
func ParseBoolean(value any) (b, ok bool) {
	switch v := value.(type) {
	case bool:
		return v, true
	case string:
		if strings.EqualFold(v, "true") {
			return true, true
		}
		return false, strings.EqualFold(v, "false")
	}
	return false, false
}

// CompareNumbers orders two JSON numbers by value. Integers of 64 bits are compared exactly, others as float64.
func CompareNumbers(a, b string) int {
	if numberKey(a) == numberKey(b) {
		return 0
	}
	i, errA := strconv.ParseInt(a, 10, 64)
	j, errB := strconv.ParseInt(b, 10, 64)
	if errA == nil && errB == nil {
		if i < j {
			return -1
		}
		return 1
	}
	f, _ := strconv.ParseFloat(a, 64)
	g, _ := strconv.ParseFloat(b, 64)
	switch {
	case f < g:
		return -1
	case f > g:
		return 1
	}
	return strings.Compare(numberKey(a), numberKey(b))
}

// numberKey is the same text for equal numbers: 100, 1e2 and 100.0.
func numberKey(s string) string {
	if i, err := strconv.ParseInt(s, 10, 64); err == nil {
		return strconv.FormatInt(i, 10)
	}
	if isInteger(s) {
		return s
	}
	f, _ := strconv.ParseFloat(s, 64)
	if f == math.Trunc(f) && math.Abs(f) < 1<<53 {
		return strconv.FormatInt(int64(f), 10)
	}
	return strconv.FormatFloat(f, 'g', -1, 64)
}
