package main

import "github.com/tallystick/tallystick/codec"

// typeInWords says what the digits of a message type mean.
func (l lang) typeInWords(t codec.MTI) string {
	class := []string{
		"unknown", "authorisation", "financial", "file", "reversal", "reconciliation", "administrative", "fee", "network management", "unknown",
	}[min(t>>8&15, 9)]
	if t>>8 == 0x03 {
		class = "batch upload or file"
	}
	function := []string{
		"request", "answer", "advice", "advice answer", "notification", "notification answer", "instruction", "instruction answer",
	}[t>>4&7]
	between, comma := " ", ", "
	if l != nil {
		between, comma = "", "，"
	}
	s := l.say(class) + between + l.say(function)
	if t.IsRepeat() {
		s += comma + l.say("repeated")
	}
	return s
}

func processingInWords(p codec.Processing) string {
	words := []string{
		"nothing", "download magnetic stripe parameters", "upload the terminal's status", "sign in again", "update public keys",
		"download chip parameters", "download parameters", "download the blacklist", "download rates",
	}
	if int(p) < len(words) {
		return words[p]
	}
	return "unknown"
}

var entryWords = map[int]string{
	codec.EntryUnknown: "not said", codec.EntryManual: "hand", codec.EntryStripe: "magnetic stripe", codec.EntryCode: "scanned code",
	codec.EntryChip: "chip", codec.EntryContactless: "contactless chip", codec.EntryContactStripe: "contactless magnetic stripe",
	codec.EntryFallback: "magnetic stripe after a failed chip", codec.EntryMobile: "chip in a telephone", codec.EntryContactFull: "contactless chip, full",
}

var pinWords = map[int]string{codec.PINUnknown: "not said", codec.PINEntered: "entered", codec.PINNone: "none"}

var typeWords = map[int]string{
	codec.TypeManagement: "management", codec.TypeBalance: "balance", codec.TypePreAuth: "pre-authorisation",
	codec.TypePreAuthVoid: "pre-authorisation void", codec.TypeCompletion: "completion", codec.TypeCompletionVoid: "completion void",
	codec.TypeSale: "sale", codec.TypeSaleVoid: "sale void", codec.TypeCompletionAdvice: "completion advice", codec.TypeRefund: "refund",
	codec.TypeOfflineSale: "offline sale", codec.TypeSettlementAdjust: "settlement adjustment", codec.TypeTipAdjust: "tip adjustment",
	codec.TypeOfflineChipUpload: "offline chip sale",
}

var networkWords = map[int]string{
	codec.NetFinancial: "financial", codec.NetSignInSingle: "sign in, single keys", codec.NetSignOff: "sign off",
	codec.NetSignInDouble: "sign in, double keys", codec.NetSignInTrackKey: "sign in, double keys and track key",
	codec.NetSignInSM4: "sign in, SM4", codec.NetBatch: "settlement", codec.NetBatchEnd: "end of upload, not balanced",
	codec.NetBatchEndEqual: "end of upload, balanced", codec.NetEcho: "echo", codec.NetParameters: "parameter download",
	codec.NetParametersEnd: "end of parameter download", codec.NetStatus: "status upload", codec.NetScript: "script result",
}

// tagNames are the names of chip data that every terminal sends.
var tagNames = map[codec.Tag]string{
	0x57: "track 2 equivalent", 0x5A: "card number", 0x5F2A: "currency", 0x5F34: "card sequence number", 0x82: "application interchange profile",
	0x84: "application name", 0x8A: "authorisation response code", 0x91: "issuer authentication", 0x95: "terminal verification results",
	0x9A: "date", 0x9C: "kind of transaction", 0x9F02: "amount", 0x9F03: "other amount", 0x9F09: "application version", 0x9F10: "issuer application data",
	0x9F1A: "country of the terminal", 0x9F1E: "serial number of the terminal", 0x9F26: "cryptogram", 0x9F27: "cryptogram information",
	0x9F33: "terminal capabilities", 0x9F34: "cardholder verification results", 0x9F35: "kind of terminal", 0x9F36: "transaction counter",
	0x9F37: "unpredictable number", 0x9F41: "transaction sequence counter",
}
