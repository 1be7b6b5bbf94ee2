package h2

// Settings (RFC 9113 section 6.5).

import (
	"encoding/binary"
	"iter"
)

// SettingID names a setting. A peer may send others than those below; they are ignored.
type SettingID uint16

// The settings of RFC 9113 section 6.5.2.
const (
	HeaderTableSize      SettingID = iota + 1 // bytes, as HPACK counts them
	EnablePush                                // 0 or 1
	MaxConcurrentStreams                      // streams that the receiver may open
	InitialWindowSize                         // bytes
	MaxFrameSize                              // bytes of a payload
	MaxHeaderListSize                         // bytes, as HPACK counts them; advice only
)

const settingSize = 6

// Setting is one setting and its value.
type Setting struct {
	ID    SettingID
	Value uint32
}

// EachSetting gives the settings in the payload of a SETTINGS frame that Check passed, in their order, which matters
// if one is there twice.
func EachSetting(payload []byte) iter.Seq2[SettingID, uint32] {
	return func(yield func(SettingID, uint32) bool) {
		for p := payload; len(p) >= settingSize; p = p[settingSize:] {
			if !yield(SettingID(binary.BigEndian.Uint16(p)), binary.BigEndian.Uint32(p[2:])) {
				return
			}
		}
	}
}

// Check says whether a client may give the setting that value; if not, that is an *Error for the connection. Unknown
// settings may have any.
func (id SettingID) Check(value uint32) error {
	switch {
	case id == EnablePush && value > 1:
		return errEnablePush
	case id == InitialWindowSize && value > MaxWindow:
		return errInitialWindow
	case id == MaxFrameSize && (value < MaxFrame || value >= 1<<24):
		return errMaxFrameSize
	}
	return nil
}
