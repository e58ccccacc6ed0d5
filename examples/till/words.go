package main

import (
	"errors"

	"github.com/tallystick/tallystick/examples/courier/screen"
	"github.com/tallystick/tallystick/queue"
)

// text is what the till says, in English and in Chinese, with the same verbs in
// the same order.
type text [2]string

// in returns the text in a language.
func (t text) in(l screen.Lang) string {
	if l == screen.Chinese {
		return t[1]
	}
	return t[0]
}

// said is an error's sentence in a language, where it has one.
func said(l screen.Lang, err error) string {
	var both interface{ Chinese() string }
	if l == screen.Chinese && errors.As(err, &both) {
		return both.Chinese()
	}
	return err.Error()
}

var (
	sayWelcome     = text{"The till is open. help lists the commands.", "收银机已开机。输入 help 查看命令。"}
	sayHelp        = text{"cash AMOUNT [ORDER] | card AMOUNT [ORDER] | void RECEIPT | status | close | quit", "cash 金额 [单号] | card 金额 [单号] | void 票号 | status | close | quit"}
	sayFailed      = text{"That did not work, nothing was taken: %v", "未成功，没有收款：%v"}
	sayBadAmount   = text{"Give an amount from 0.01 to 50000.00 yuan.", "请输入 0.01 至 50000.00 元的金额。"}
	sayNoReceipt   = text{"There is no sale %d.", "没有第 %d 号消费。"}
	sayTaken       = text{"Receipt %d: %s taken in cash.", "票号 %d：已收现金 %s。"}
	sayApproved    = text{"Receipt %d: %s approved by the host.", "票号 %d：%s 主机已批准。"}
	sayOffline     = text{"Receipt %d: %s approved by the chip, without the host. It is sent when there is a line.", "票号 %d：%s 芯片脱机批准，联网后自动上送。"}
	sayDeclined    = text{"Receipt %d: declined (code %s). Take the payment otherwise.", "票号 %d：已拒绝（应答码 %s），请换其他方式付款。"}
	sayInDoubt     = text{"Receipt %d: %s has no outcome. It is being undone: take the payment otherwise, as another order.", "票号 %d：%s 结果不明，正在冲正；请换其他方式付款，另开一单。"}
	sayStands      = text{"Receipt %d is %s: there is nothing more to do.", "票号 %d %s，无需再处理。"}
	sayAgain       = text{"This card paid %s just now (receipt %d). Is this another payment? (y/n)", "同一张卡刚付过 %s（票号 %d）。这是另一笔付款吗？（y/n）"}
	sayNotTaken    = text{"Not taken.", "未收款。"}
	sayOverLimit   = text{"Too much without the host. Take cash, or wait for a line.", "超过脱机限额。请收现金，或等待联网。"}
	sayCancelled   = text{"Receipt %d is cancelled; it had not left the till.", "票号 %d 已取消，尚未发出。"}
	sayVoiding     = text{"Receipt %d is being voided (%d); this screen says when that is done.", "票号 %d 正在撤销（%d），完成后屏幕会提示。"}
	sayVoided      = text{"Receipt %d is voided at the host.", "票号 %d 主机已撤销。"}
	sayNotVoided   = text{"Receipt %d could not be undone at the host (code %s): it stands.", "票号 %d 主机未能撤销（应答码 %s），原交易有效。"}
	sayRefunding   = text{"Receipt %d is given back by refund %d.", "票号 %d 以退货 %d 退回。"}
	sayGivenBack   = text{"Receipt %d has a refund already.", "票号 %d 已做退货。"}
	sayUndone      = text{"Receipt %d is undone at the host: the customer has not paid it.", "票号 %d 已在主机冲正：顾客未付此款。"}
	saySettled     = text{"%s: batch %d settled, %d entries, %d of them missing at the host and sent again.", "%s：批次 %d 已结算，%d 笔，其中 %d 笔主机缺失并已补送。"}
	sayDiffers     = text{"%s: batch %d is closed and the host has something else in it. Call support.", "%s：批次 %d 已关闭，但与主机不一致，请联系技术支持。"}
	sayOutstanding = text{"%s: %d entries need a person first. See status.", "%s：有 %d 笔须先由人工处理，请看 status。"}
	sayNotSettled  = text{"%s: not settled yet (%v). Give close again when there is a line.", "%s：尚未结算（%v），联网后请再次输入 close。"}
	sayWarning     = text{"! %s", "! %s"}
	saySupport     = text{"  %s", "  %s"}
	sayWaits       = text{"%s: %d waiting (%s), %d need a person", "%s：待上送 %d 笔（%s），需人工处理 %d 笔"}
	sayParked      = text{"  receipt %d, %s: %s", "  票号 %d，%s：%s"}
	saySafe        = text{"Safe to wipe: everything is at its host and settled.", "可以清除：全部交易已到主机并结算。"}
	sayUnsafe      = text{"NOT safe to wipe: something is not at its host, or not settled.", "不可清除：还有交易未到主机或未结算。"}
)

var states = map[queue.State]text{
	queue.Pending: {"waiting", "待上送"}, queue.InDoubt: {"without an outcome yet", "结果未明"}, queue.Accepted: {"paid", "已付款"},
	queue.Declined: {"declined", "已拒绝"}, queue.Reversed: {"undone", "已冲正"}, queue.Parked: {"with support", "待人工处理"},
	queue.Cancelled: {"cancelled", "已取消"},
}
