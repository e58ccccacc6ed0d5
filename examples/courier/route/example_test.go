package route_test

import (
	"errors"
	"fmt"
	"strings"

	"github.com/tallystick/tallystick/examples/courier/route"
)

func ExampleRead() {
	parcels, err := route.Read("route.csv", strings.NewReader(
		"运单号,地址,代收货款,付款方式\n"+
			"TS7402000001,云渡路15号,445.50,刷卡\n"+
			"TS7402000002,青枫街3号,9.90,现金\n"))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, p := range parcels {
		fmt.Println(p.Waybill, p.Address, p.Fen, p.Tender)
	}
	// Output:
	// TS7402000001 云渡路15号 44550 card
	// TS7402000002 青枫街3号 990 cash
}

func ExampleError() {
	_, err := route.Read("route.csv", strings.NewReader(
		"waybill,address,amount,tender\nTS7402000001,Road 15,9.905,card\n"))
	fmt.Println(err)
	if e := (*route.Error)(nil); errors.As(err, &e) {
		fmt.Println(e.Chinese())
	}
	// Output:
	// route.csv, line 2, column 3 (amount): the amount “9.905” has a fraction of a fen; write at most two decimals.
	// route.csv 第 2 行第 3 列（amount）：金额 “9.905”含有不足一分的小数；请最多保留两位小数。
}

func ExampleOpen() {
	_, err := route.Open("no-such-file.csv")
	fmt.Println(err != nil)
	// Output: true
}

func ExampleDay() {
	parcels, err := route.Day()
	fmt.Println(len(parcels), err)
	// Output: 200 <nil>
}
