package livemap.orders;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/**
 * Reads an order from JSON in one pass. A field at fault is noted and the reading goes on, because a record
 * that is not JSON at all is to be called malformed, whatever its fields look like.
 */
public final class OrderDecoder extends JsonScanner {
    /** Bytes of a record at most. */
    public static final int MAX_RECORD_BYTES = 1 << 20;
    private static final int MAX_ID_BYTES = 128;
    private static final int MAX_LINES = 1000;
    private static final long MAX_AMOUNT = 10_000_000_000_000L;
    private static final long MAX_BILLION = 1_000_000_000L; // units of a line, grams

    private static final String[] ORDER_FIELDS = {"v", "id", "at", "shop", "shopper", "currency", "amount", "lines", "from", "to", "mass_g"};
    private static final String[] LINE_FIELDS = {"amount", "product", "units"};
    private static final String[] PLACE_FIELDS = {"country", "lat", "lon"};

    private static final double[] POWERS = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17};

    private final Order o = new Order();
    private long version;
    private String place = ""; // the place being read
    private int line = -1; // the line being read
    private Invalid fault; // the first field at fault

    private final Interner names;

    private OrderDecoder(byte[] b, Interner names) {
        super(b);
        this.names = names;
    }

    /** Decodes and validates an order. A null value is malformed. */
    public static Order decode(byte[] b) throws Invalid {
        return decode(b, new Interner(4));
    }

    /** The same, with the texts of earlier orders at hand. */
    public static Order decode(byte[] b, Interner names) throws Invalid {
        if (b == null) {
            b = new byte[0];
        }
        if (b.length > MAX_RECORD_BYTES) {
            throw new Invalid(Invalid.TOO_LARGE, "", "has " + b.length + " bytes, at most " + MAX_RECORD_BYTES + " are allowed");
        }
        return new OrderDecoder(b, names).order();
    }

    private Order order() throws Invalid {
        if (kind() != Kind.OBJECT) {
            throw new Invalid(Invalid.MALFORMED, "", "is not a JSON object");
        }
        i++;
        int seen = 0;
        for (boolean first = true; key(first); first = false) {
            seen |= orderField(name());
        }
        space();
        if (i < b.length) {
            fail("more after the end of the object");
        }
        if (bad != null) {
            throw new Invalid(Invalid.MALFORMED, "", bad);
        }
        if ((seen & 1) == 0) {
            throw new Invalid(Invalid.VERSION, "v", "is missing");
        }
        if (version != 1) {
            throw new Invalid(Invalid.VERSION, "v", "is not 1");
        }
        missing(ORDER_FIELDS, seen);
        if (fault != null) {
            throw fault;
        }
        check();
        return o;
    }

    private int orderField(String key) {
        switch (key) {
            case "v" -> version = version();
            case "id" -> o.id = id("id");
            case "at" -> o.at = time();
            case "shop" -> o.shop = id("shop");
            case "shopper" -> o.shopper = id("shopper");
            case "currency" -> o.currency = text("currency");
            case "amount" -> o.amount = whole("amount");
            case "lines" -> lines();
            case "from" -> o.from = place("from");
            case "to" -> o.to = place("to");
            case "mass_g" -> o.massG = whole("mass_g");
            default -> {
                skip(1);
                return 0;
            }
        }
        return bit(ORDER_FIELDS, key);
    }

    private static int bit(String[] names, String name) {
        for (int k = 0; k < names.length; k++) {
            if (names[k].equals(name)) {
                return 1 << k;
            }
        }
        return 0;
    }

    private void lines() {
        if (kind() != Kind.ARRAY) {
            mistyped("lines", "an array");
            return;
        }
        i++;
        List<Order.Line> lines = new ArrayList<>(4);
        for (boolean first = true; element(first); first = false) {
            if (lines.size() == MAX_LINES) {
                line = -1;
                wrong("lines", "are more than " + MAX_LINES);
                skip(2);
                continue;
            }
            line = lines.size();
            lines.add(line());
        }
        line = -1;
        o.lines = lines.toArray(Order.Line[]::new);
    }

    private Order.Line line() {
        Order.Line l = new Order.Line();
        if (kind() != Kind.OBJECT) {
            mistyped("", "an object");
            return l;
        }
        i++;
        int seen = 0;
        for (boolean first = true; key(first); first = false) {
            String key = name();
            switch (key) {
                case "product" -> l.product = text("product");
                case "units" -> l.units = whole("units");
                case "amount" -> l.amount = whole("amount");
                default -> {
                    skip(3);
                    continue;
                }
            }
            seen |= bit(LINE_FIELDS, key);
        }
        missing(LINE_FIELDS, seen);
        return l;
    }

    private Order.Place place(String name) {
        place = name;
        Order.Place p = new Order.Place();
        if (kind() != Kind.OBJECT) {
            mistyped("", "an object");
            place = "";
            return p;
        }
        i++;
        int seen = 0;
        for (boolean first = true; key(first); first = false) {
            String key = name();
            switch (key) {
                case "city" -> p.city = text("city");
                case "country" -> p.country = text("country");
                case "lat" -> p.lat = degrees("lat");
                case "lon" -> p.lon = degrees("lon");
                default -> {
                    skip(2);
                    continue;
                }
            }
            seen |= bit(PLACE_FIELDS, key);
        }
        missing(PLACE_FIELDS, seen);
        place = "";
        return p;
    }

    private void missing(String[] names, int seen) {
        for (int k = 0; k < names.length; k++) {
            if ((seen & 1 << k) == 0) {
                wrong(names[k], "is missing");
                return;
            }
        }
    }

    private void wrong(String name, String detail) {
        if (fault != null || bad != null) {
            return;
        }
        String prefix = line >= 0 ? "lines[" + line + "]" : place;
        if (!prefix.isEmpty() && !name.isEmpty()) {
            prefix += ".";
        }
        fault = new Invalid(Invalid.FIELD, prefix + name, detail);
    }

    private void mistyped(String name, String want) {
        wrong(name, "is not " + want);
        skip(!place.isEmpty() ? 2 : line >= 0 ? 3 : 1);
    }

    private long version() {
        if (kind() != Kind.NUMBER) {
            skip(1);
            return 0;
        }
        number();
        long n = parseWhole();
        return n == Long.MIN_VALUE ? 0 : n;
    }

    /** Reads a text that hardly ever comes again. */
    private String id(String name) {
        byte[] raw = rawText(name);
        return raw == null ? "" : new String(raw, StandardCharsets.UTF_8);
    }

    /** The string that was read last. */
    private String name() {
        if (!escaped) {
            return names.text(b, from, to);
        }
        return new String(text(), StandardCharsets.UTF_8);
    }

    private String text(String name) {
        if (kind() != Kind.TEXT) {
            mistyped(name, "a string");
            return "";
        }
        string();
        return bad == null ? name() : "";
    }

    private byte[] rawText(String name) {
        if (kind() != Kind.TEXT) {
            mistyped(name, "a string");
            return null;
        }
        string();
        return bad == null ? text() : null;
    }

    private long time() {
        byte[] raw = rawText("at");
        if (raw == null) {
            return 0;
        }
        long t = Times.parse(raw);
        if (t == Times.NONE) {
            wrong("at", "is " + Utf8.excerpt(raw) + ", wants a time such as " + Times.EXAMPLE);
            return 0;
        }
        return t;
    }

    private long whole(String name) {
        if (kind() != Kind.NUMBER) {
            mistyped(name, "a whole number");
            return 0;
        }
        number();
        long n = parseWhole();
        if (n == Long.MIN_VALUE) {
            wrong(name, "is " + Utf8.excerpt(raw()) + ", wants a whole number of at most 18 digits without fraction and exponent");
            return 0;
        }
        return n;
    }

    private byte[] raw() {
        return java.util.Arrays.copyOfRange(b, from, to);
    }

    private long parseWhole() {
        int k = from;
        boolean negative = to > from && b[k] == '-';
        if (negative) {
            k++;
        }
        if (!whole || to == from || to - k > 18) {
            return Long.MIN_VALUE;
        }
        long n = 0;
        for (; k < to; k++) {
            n = n * 10 + b[k] - '0';
        }
        return negative ? -n : n;
    }

    private double degrees(String name) {
        if (kind() != Kind.NUMBER) {
            mistyped(name, "a number");
            return 0;
        }
        number();
        if (bad != null) {
            return 0;
        }
        double f = fraction(b, from, to);
        if (Double.isInfinite(f)) {
            wrong(name, "is " + Utf8.excerpt(raw()) + ", which is out of range");
        }
        return f;
    }

    /**
     * Reads a number of JSON. One of at most 15 digits is a whole number and a power of ten that are both exact,
     * so that one division rounds it rightly; what else there is, Java's own reader takes.
     */
    static double fraction(byte[] b, int from, int to) {
        int k = b[from] == '-' ? from + 1 : from, point = to;
        long digits = 0;
        for (; k < to && to - from <= 17; k++) {
            if (b[k] == '.') {
                point = k + 1;
            } else if (b[k] >= '0' && b[k] <= '9') {
                digits = digits * 10 + b[k] - '0';
            } else {
                break;
            }
        }
        if (k < to || digits >= 1_000_000_000_000_000L) {
            return Double.parseDouble(new String(b, from, to - from, StandardCharsets.ISO_8859_1));
        }
        double f = digits / POWERS[to - point];
        return b[from] == '-' ? -f : f;
    }

    private void check() throws Invalid {
        checkID("id", o.id);
        checkID("shop", o.shop);
        checkID("shopper", o.shopper);
        if (!upper(o.currency, 3)) {
            throw new Invalid(Invalid.FIELD, "currency", "is " + quoted(o.currency) + ", wants three letters A to Z");
        }
        checkRange("amount", o.amount, MAX_AMOUNT);
        checkRange("mass_g", o.massG, MAX_BILLION);
        if (o.lines.length == 0) {
            throw new Invalid(Invalid.FIELD, "lines", "are 0, wants 1 to " + MAX_LINES);
        }
        for (int k = 0; k < o.lines.length; k++) {
            String prefix = "lines[" + k + "].";
            checkID(prefix + "product", o.lines[k].product);
            checkRange(prefix + "units", o.lines[k].units, MAX_BILLION);
            checkRange(prefix + "amount", o.lines[k].amount, MAX_AMOUNT);
        }
        checkPlace("from", o.from);
        checkPlace("to", o.to);
    }

    private static void checkPlace(String field, Order.Place p) throws Invalid {
        if (!plain(p.city)) {
            throw new Invalid(Invalid.FIELD, field + ".city", "is " + quoted(p.city) + ", wants at most 128 bytes of UTF-8 without control characters");
        }
        if (!upper(p.country, 2)) {
            throw new Invalid(Invalid.FIELD, field + ".country", "is " + quoted(p.country) + ", wants two letters A to Z");
        }
        if (!(Math.abs(p.lat) <= 90)) {
            throw new Invalid(Invalid.FIELD, field + ".lat", "is " + GoNumbers.shortest(p.lat) + ", wants -90 to 90");
        }
        if (!(Math.abs(p.lon) <= 180)) {
            throw new Invalid(Invalid.FIELD, field + ".lon", "is " + GoNumbers.shortest(p.lon) + ", wants -180 to 180");
        }
    }

    private static void checkID(String field, String id) throws Invalid {
        if (id.isEmpty()) {
            throw new Invalid(Invalid.FIELD, field, "is empty");
        }
        if (!plain(id)) {
            throw new Invalid(Invalid.FIELD, field, "is " + quoted(id) + ", wants at most " + MAX_ID_BYTES + " bytes of UTF-8 without control characters");
        }
    }

    private static void checkRange(String field, long n, long most) throws Invalid {
        if (n < 0 || n > most) {
            throw new Invalid(Invalid.FIELD, field, "is " + n + ", wants 0 to " + most);
        }
    }

    private static String quoted(String s) {
        return Utf8.excerpt(s.getBytes(StandardCharsets.UTF_8));
    }

    /** Whether s has at most 128 bytes and no control character. */
    private static boolean plain(String s) {
        if (s.length() * 3 > MAX_ID_BYTES && s.getBytes(StandardCharsets.UTF_8).length > MAX_ID_BYTES) {
            return false;
        }
        for (int k = 0; k < s.length(); k++) {
            if (Character.getType(s.charAt(k)) == Character.CONTROL) {
                return false;
            }
        }
        return true;
    }

    private static boolean upper(String s, int n) {
        if (s.length() != n) {
            return false;
        }
        for (int k = 0; k < n; k++) {
            if (s.charAt(k) < 'A' || s.charAt(k) > 'Z') {
                return false;
            }
        }
        return true;
    }
}
