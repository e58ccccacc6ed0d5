package report

import (
	"fmt"

	"github.com/tallystick/tallystick/queue"
)

// Lang is the language of a report.
type Lang string

// The languages.
const (
	English Lang = "en"
	Chinese Lang = "zh"
)

// said is what is said of a finding.
type said struct{ name, cause, next string }

// words are all texts of one language.
type words struct {
	tag, title, made, span, from, to              string
	taken, differs, batches, statement            string
	category, currency, count, sum, total         string
	takenHere, atHost, open, differ               string
	undone                                        string
	terminal, batch, hostBatch, records           string
	debits, credits, result                       string
	finding, here, there, fees                    string
	entry, ref, stan, rrn, card, time, state      string
	detail, cause, next, section                  string
	nothing, agreed, goesOn, byPerson, more, note string
	fileLine                                      string
	sep, colon, paren                             string
	categories                                    [categories]string
	states                                        map[queue.State]string
	results                                       [batchResults]string
	findings                                      [findings]said
}

func wordsOf(l Lang) (*words, error) {
	switch l {
	case English, "":
		return &english, nil
	case Chinese:
		return &chinese, nil
	}
	return nil, fmt.Errorf("the language %q is unknown: en or zh", string(l))
}

var english = words{
	tag: "en", title: "Reconciliation report", made: "made", span: "time", from: "from", to: "to",
	taken: "What was taken and what the host has", differs: "What differs, and what to do", batches: "Settlements",
	statement: "The acquirer's statement",
	category:  "category", currency: "currency", count: "count", sum: "sum", total: "total",
	takenHere: "taken", atHost: "at the host", open: "open", differ: "differs",
	undone:   "without effect",
	terminal: "terminal", batch: "batch", hostBatch: "host's batch", records: "records",
	debits: "debits", credits: "credits", result: "result",
	finding: "finding", here: "here", there: "there", fees: "fees kept by the acquirer",
	entry: "entry", ref: "ref", stan: "STAN", rrn: "RRN", card: "card", time: "time", state: "state",
	detail: "detail", cause: "cause", next: "what to do", section: "section",
	nothing: "nothing", agreed: "Nothing differs.", goesOn: "Nothing to do, goes on by itself or is done: %d.",
	byPerson: "Needs a person: %d.", more: "%d more are not listed.", note: "note", fileLine: "statement line", sep: ", ", colon: ": ", paren: "%s (%s)",
	categories: [...]string{"", "card, online", "card, offline", "QR code", "cash", "voids", "refunds"},
	states: map[queue.State]string{queue.Pending: "pending", queue.InDoubt: "in doubt", queue.Accepted: "accepted",
		queue.Declined: "declined", queue.Reversed: "reversed", queue.Parked: "parked", queue.Cancelled: "cancelled"},
	results: [...]string{"", "balanced", "balanced by upload", "out of balance", "not settled", "closed without the host"},
	findings: [...]said{
		{name: "matched"},
		Waiting: {"waiting", "It was taken while there was no line and has not been sent yet.",
			"Keep the device on and connected; it is sent by itself."},
		Unanswered: {"unanswered", "It was sent and the answer did not come.",
			"Keep the device connected; it is repeated unchanged until the host answers."},
		Undecided: {"undecided", "The host was asked and its answer did not come, so the payment is being reversed.",
			"Do not hand over on it; take the payment anew if that was not done, and keep the device connected."},
		Unsent: {"not sent", "A payment was begun and nothing of it left the device; it was not taken.",
			"Take it offline, take it otherwise, or cancel it."},
		Parked: {"parked", "It cannot go on by itself.",
			"Ask the host what became of it, then resolve the entry or let it be sent again."},
		Loss: {"loss", "It was taken at the merchant's risk and the host declined it.",
			"Ask the customer to pay otherwise; until then it is the merchant's loss."},
		MissingThere: {"missing at the host", "The host has answered for it and does not have it.",
			"Tell the acquirer terminal, batch, STAN and RRN and have it booked; do not charge the customer again."},
		MissingHere: {"missing here", "The host has it and this journal does not know it.",
			"Look for it on other devices and in older journals; if nobody sold it, have it refunded."},
		AmountDiffers: {"amount differs", "Both sides have it with different amounts.",
			"Compare the receipt with the acquirer's voucher, and have the wrong side corrected."},
		ContentDiffers: {"content differs", "Both sides have it with different content.",
			"Compare card, time and numbers with the acquirer, and have the wrong side corrected."},
		StandsThere: {"stands at the host", "The host has booked what was not taken here.",
			"Have it reversed or refunded; the customer was charged for nothing."},
		UndoneThere: {"undone at the host", "It was accepted here, and the host has declined or reversed it since.",
			"Ask the host why; if the goods are handed over, ask the customer to pay anew."},
		Doubled: {"doubled", "The host has booked one payment more than once.",
			"Have the acquirer take the surplus booking back; the customer was charged twice."},
		Mended: {"mended", "The host lacked it and has taken it from the batch upload.",
			"Nothing; both sides have it now."},
		HostHasMore: {"host has more", "The host's totals of this batch hold something that is not in it.",
			"Ask the acquirer for the batch's details and compare them with this report."},
		HostLeft: {"host has left", "The host has gone on to another batch and says no more of this one; its totals were not equal.",
			"Compare the acquirer's statement with this journal."},
		BatchWaits: {"batch waits", "The batch is closed and its settlement has not come to an end.",
			"Keep the device connected and settle again; it goes on where it stopped."},
		CashDiffers: {"cash differs", "The cash handed over is not what was collected.",
			"Count again with the courier, and keep the reason with the hand-over."},
		CollectedTwice: {"collected twice", "The parcel was paid for by two payments, maybe on two devices.",
			"Give one of the two payments back to the customer."},
		Remark: {"remark", "Somebody has to look at it.", "See the detail."},
	},
}

var chinese = words{
	tag: "zh", title: "对账报告", made: "生成时间", span: "时段", from: "起", to: "止",
	taken: "已收款与主机入账", differs: "差异与处理", batches: "结算", statement: "收单对账单",
	category: "类别", currency: "币种", count: "笔数", sum: "金额", total: "合计",
	takenHere: "本机已收", atHost: "主机入账", open: "未决", differ: "不一致",
	undone:   "未生效",
	terminal: "终端号", batch: "批次", hostBatch: "主机批次号", records: "记录数",
	debits: "借记", credits: "贷记", result: "结果",
	finding: "情况", here: "本机", there: "主机", fees: "收单机构手续费",
	entry: "流水", ref: "业务号", stan: "凭证号", rrn: "参考号", card: "卡号", time: "时间", state: "状态",
	detail: "说明", cause: "原因", next: "处理", section: "部分",
	nothing: "无", agreed: "没有差异。", goesOn: "无需操作，自动处理中或已完成：%d 笔。",
	byPerson: "需要人工处理：%d 笔。", more: "另有 %d 笔未列出。", note: "备注", fileLine: "对账单行", sep: "，", colon: "：", paren: "%s（%s）",
	categories: [...]string{"", "刷卡（联机）", "刷卡（脱机）", "扫码", "现金", "撤销", "退货"},
	states: map[queue.State]string{queue.Pending: "待上送", queue.InDoubt: "未决", queue.Accepted: "已入账",
		queue.Declined: "被拒绝", queue.Reversed: "已冲正", queue.Parked: "挂起", queue.Cancelled: "已取消"},
	results: [...]string{"", "对账平", "批上送后对账平", "对账不平", "未结算", "未经主机关闭"},
	findings: [...]said{
		{name: "一致"},
		Waiting:        {"待上送", "收款时没有网络，尚未上送。", "保持设备开机联网，会自动上送。"},
		Unanswered:     {"未收到应答", "已上送，但没有收到应答。", "保持设备联网，会原样重发，直到主机应答。"},
		Undecided:      {"结果不明", "已向主机请求，但没有收到应答，正在冲正。", "不要凭此交货；如尚未另行收款，请重新收款，并保持设备联网。"},
		Unsent:         {"未发出", "已发起收款，但没有任何数据离开设备，未收款。", "脱机收款、另行收款或取消。"},
		Parked:         {"挂起", "无法自动继续。", "向主机查询其结果，然后人工确认，或允许重新上送。"},
		Loss:           {"商户损失", "商户自担风险收款，主机拒绝。", "请顾客另行付款；在此之前是商户的损失。"},
		MissingThere:   {"主机缺", "主机曾应答成功，但没有入账。", "向收单机构提供终端号、批次号、凭证号和参考号，要求补入账；不要再次向顾客收款。"},
		MissingHere:    {"本机缺", "主机已入账，本机日志中没有。", "在其他设备和旧日志中查找；如无人售出，要求退款。"},
		AmountDiffers:  {"金额不符", "双方都有，但金额不同。", "核对签购单与收单机构凭证，更正错误的一方。"},
		ContentDiffers: {"内容不符", "双方都有，但内容不同。", "与收单机构核对卡号、时间和号码，更正错误的一方。"},
		StandsThere:    {"主机多记", "本机没有收款成功，主机却已入账。", "要求冲正或退款，顾客被多扣款。"},
		UndoneThere:    {"主机已撤销", "本机已入账，主机之后拒绝或冲正了这一笔。", "向主机查询原因；如已交货，请顾客重新付款。"},
		Doubled:        {"重复入账", "主机把一笔付款入账多次。", "要求收单机构撤回多余的一笔，顾客被重复扣款。"},
		Mended:         {"已补", "主机缺少这一笔，已由批上送补入。", "无需处理，双方现在都有。"},
		HostHasMore:    {"主机有余", "主机的批次总额中有本批次以外的交易。", "向收单机构索取该批次明细，与本报告核对。"},
		HostLeft:       {"主机已换批", "主机已自行转入其他批次，不再应答本批次，而总额不符。", "用收单对账单与本机日志核对。"},
		BatchWaits:     {"批次未结", "批次已关闭，结算尚未完成。", "保持设备联网并再次结算，会从中断处继续。"},
		CashDiffers:    {"现金不符", "上交的现金与已收的不一致。", "与快递员重新清点，并在交接单上注明原因。"},
		CollectedTwice: {"重复收款", "同一运单收了两次款，可能在两台设备上。", "把其中一笔退还给顾客。"},
		Remark:         {"备注", "需要人工查看。", "见说明。"},
	},
}
