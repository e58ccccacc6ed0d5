package codec

// Carrier is all that a host link asks of a message. *Message satisfies it, and
// so does the message type of the Go library that most card systems use, so
// that its users keep their code.
//
// The methods follow that library's ways: GetString and GetBytes give nothing
// and no error for a field that is absent, and an error for a field that the
// dialect does not define. Implementations differ in whether numeric fields
// keep their leading zeros: normalise before comparing. They differ too in what
// 0 and 1 are: there the type and the bitmap, here, as by this package's other
// methods, undefined. The type is read and set by MTI and GetMTI alone.
type Carrier interface {
	Pack() ([]byte, error)
	Unpack(b []byte) error
	MTI(t string)
	GetMTI() (string, error)
	Field(de int, v string) error
	BinaryField(de int, v []byte) error
	GetString(de int) (string, error)
	GetBytes(de int) ([]byte, error)
	UnsetField(de int)
}

var _ Carrier = (*Message)(nil)

// badMTI stands for a type that was set to what is none; Pack refuses it.
const badMTI MTI = 0xFFFF

// Pack gives the wire form in a new slice.
func (m *Message) Pack() ([]byte, error) {
	if m.data() == nil {
		return nil, &FieldError{Offset: -1, Err: ErrDialect, Detail: "message was not made by NewMessage"}
	}
	return m.data().spec.Append(nil, m)
}

// Unpack replaces the content of m by the message in b, read in m's dialect.
func (m *Message) Unpack(b []byte) error {
	if m.data() == nil {
		return &FieldError{Offset: -1, Err: ErrDialect, Detail: "message was not made by NewMessage"}
	}
	return m.data().spec.DecodeInto(m, b)
}

// MTI sets the message type from its four digits. What is no type is refused by
// Pack and GetMTI.
func (m *Message) MTI(t string) {
	v, err := ParseMTI(t)
	if err != nil {
		v = badMTI
	}
	m.SetType(v)
}

// GetMTI gives the four digits of the message type.
func (m *Message) GetMTI() (string, error) {
	if m.data() == nil || !m.data().mti.Valid() {
		return "", &FieldError{Offset: -1, Err: ErrMTI}
	}
	return m.data().mti.String(), nil
}

// Field is Set.
func (m *Message) Field(de int, v string) error { return m.Set(de, v) }

// BinaryField is SetBytes.
func (m *Message) BinaryField(de int, v []byte) error { return m.SetBytes(de, v) }

// GetString gives the content as Text does; "" if the field is absent.
func (m *Message) GetString(de int) (string, error) {
	if _, err := m.fieldFor(de); err != nil {
		return "", err
	}
	v, _ := m.Text(de)
	return v, nil
}

// GetBytes gives the content as Bytes does; nil if the field is absent.
func (m *Message) GetBytes(de int) ([]byte, error) {
	if _, err := m.fieldFor(de); err != nil {
		return nil, err
	}
	v, _ := m.Bytes(de)
	return v, nil
}

// UnsetField is Unset.
func (m *Message) UnsetField(de int) { m.Unset(de) }
