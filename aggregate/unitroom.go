package aggregate

// What counting costs in memory. Tables are reckoned as they are right after they
// have grown, when three eighths of their slots are taken.
const (
	// slotBytes is a slot of a tally, 16 bytes, or a cell of a minute, 24 bytes and
	// its slot.
	slotBytes = 43
	// noteBytes is an entry of an open pane: 16 bytes, in a list that doubles.
	noteBytes = 32
	// productBytes is a product without its name: its place in names, minutes
	// and free, and its slot.
	productBytes = 144

	// maxMinuteCells bounds the (product, scope) pairs of one minute, and so a
	// minute's record in the checkpoint (18 MiB if all names are as long as they
	// can be) and the work of ranking five minutes.
	maxMinuteCells = 1 << 17
)

// unitWireBytes is the most that units of a product take in the checkpoint: tag,
// country, length and number besides the name.
func unitWireBytes(product string) int { return 1 + 2 + 2 + 10 + len(product) }

// bytes is the memory that all of it takes, at most. A cell that is not yet in
// hour is reckoned with its place there.
func (u *units) bytes() int64 {
	slots := int64(u.cells) + int64(u.notYet) + int64(max(u.hourPeak, u.hour.len()))
	return slots*slotBytes + int64(len(u.names))*productBytes + u.nameBytes + int64(u.pending)*noteBytes
}

// add counts units of a product in the minute that holds at, for the world and
// for the country. ok is false if there was no room for them. A quarter of the
// memory is kept from new cells, for what open panes note about those there
// are.
func (u *units) add(at second, o product, country scopeID, n int64) (place unitPlace, ok bool) {
	minute := at.minute()
	if u.closed != noSecond && minute < u.closed-hourSpan {
		return place, false // no coming evaluation looks back so far
	}
	i, found := u.index(minute)
	id, known := u.find(o.hash)
	cells, need := u.fresh(minute, id, known, len(o.name), country)
	full := found && cells > 0 && u.buckets[i].units.len()+cells > maxMinuteCells
	limit := u.limit
	if cells > 0 {
		limit -= limit / 4
	}
	if full || u.bytes()+need+slotBytes > limit {
		u.leftOut += n
		return place, false
	}
	return u.placeOf(minute, u.put(minute, o, country, n), country), true
}

// again is add for a product that has cells already, as it nearly always does, in a
// minute that is not in hour yet. It does nothing and reports false if there is more
// to it.
func (u *units) again(at unitPlace, country scopeID, n int64) bool {
	return u.bytes()+slotBytes <= u.limit && at.minute.units.again(at.cell, country, n)
}

// placeOf returns where a product is counted, which it is.
func (u *units) placeOf(minute second, id productID, country scopeID) unitPlace {
	i, _ := u.index(minute)
	cell, _ := u.buckets[i].units.find(unitKeyOf(id, country))
	return unitPlace{u.buckets[i], cell}
}

// fresh returns how many cells, and how many bytes, counting a product would
// add.
func (u *units) fresh(minute second, id productID, known bool, nameBytes int, country scopeID) (cells int, need int64) {
	cells = 2
	if country == worldID {
		cells = 1
	}
	if !known {
		need = productBytes + int64(nameBytes)
	} else if i, found := u.index(minute); found {
		if _, ok := u.buckets[i].units.get(unitKeyOf(id, country)); ok {
			cells = 0 // and so is the world's
		} else if _, ok := u.buckets[i].units.get(unitKeyOf(id, worldID)); ok {
			cells--
		}
	}
	return cells, need + int64(cells)*2*slotBytes
}
