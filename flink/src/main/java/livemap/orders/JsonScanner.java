package livemap.orders;

import java.io.ByteArrayOutputStream;

/**
 * Reads JSON (RFC 8259) from bytes in one pass, as strictly as Go's scanner of the package orders: strings
 * must be UTF-8, surrogates come in pairs. Its error is sticky: once the input proves malformed, the scanner
 * stands at the end and every method returns nothing.
 */
class JsonScanner {
    enum Kind { NONE, OBJECT, ARRAY, TEXT, NUMBER, LITERAL }

    private static final int MAX_DEPTH = 32;

    final byte[] b;
    int i;
    String bad; // why the input is malformed; null while it is not

    // Of the last string or number.
    int from, to;
    boolean escaped, whole;

    JsonScanner(byte[] b) {
        this.b = b;
    }

    void fail(String what) {
        if (bad == null) {
            bad = "byte " + i + ": " + what;
            i = b.length;
        }
    }

    Kind kind() {
        space();
        if (i == b.length) {
            return Kind.NONE;
        }
        return switch (b[i]) {
            case '{' -> Kind.OBJECT;
            case '[' -> Kind.ARRAY;
            case '"' -> Kind.TEXT;
            case 't', 'f', 'n' -> Kind.LITERAL;
            case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9' -> Kind.NUMBER;
            default -> Kind.NONE;
        };
    }

    void space() {
        while (i < b.length && (b[i] == ' ' || b[i] == '\t' || b[i] == '\r' || b[i] == '\n')) {
            i++;
        }
    }

    private boolean take(char c) {
        if (i == b.length || b[i] != c) {
            space();
        }
        if (i < b.length && b[i] == c) {
            i++;
            return true;
        }
        return false;
    }

    /** Consumes what stands before an object's next value. False at the object's end. */
    boolean key(boolean first) {
        if (take('}')) {
            return false;
        }
        if (!first && !take(',')) {
            fail("wants , or } after a value of an object");
            return false;
        }
        if (kind() != Kind.TEXT) {
            fail("wants a key in quotes");
            return false;
        }
        string();
        int keyFrom = from, keyTo = to;
        boolean keyEscaped = escaped;
        if (!take(':')) {
            fail("wants : after a key");
            return false;
        }
        from = keyFrom;
        to = keyTo;
        escaped = keyEscaped;
        return bad == null;
    }

    boolean element(boolean first) {
        if (take(']')) {
            return false;
        }
        if (!first && !take(',')) {
            fail("wants , or ] after a value of an array");
            return false;
        }
        return bad == null;
    }

    /** Consumes a string; from, to and escaped then say what stands between its quotes. */
    void string() {
        int start = i + 1;
        boolean wide = false, esc = false;
        from = to = start;
        escaped = false;
        for (int k = start; k < b.length; k++) {
            byte c = b[k];
            if (c == '"') {
                if (wide && !Utf8.valid(b, start, k)) {
                    fail("string is not UTF-8");
                    return;
                }
                from = start;
                to = k;
                escaped = esc;
                i = k + 1;
                return;
            } else if (c == '\\') {
                int n = escapeLength(k);
                if (n == 0) {
                    i = k;
                    fail("wrong escape in a string");
                    return;
                }
                esc = true;
                k += n - 1;
            } else if (c >= 0 && c < ' ') {
                i = k;
                fail("control character in a string");
                return;
            } else if (c < 0) {
                wide = true;
            }
        }
        fail("string does not end");
    }

    private int escapeLength(int at) {
        if (b.length - at < 2) {
            return 0;
        }
        switch (b[at + 1]) {
            case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
                return 2;
            case 'u':
                int r = hex(at);
                if (r < 0) {
                    return 0;
                }
                if (r < 0xD800 || r > 0xDFFF) {
                    return 6;
                }
                int low = hex(at + 6);
                return r < 0xDC00 && low >= 0xDC00 && low <= 0xDFFF ? 12 : 0;
            default:
                return 0;
        }
    }

    private int hex(int at) {
        if (b.length - at < 6 || b[at] != '\\' || b[at + 1] != 'u') {
            return -1;
        }
        int r = 0;
        for (int k = at + 2; k < at + 6; k++) {
            int digit = b[k] < 0 ? -1 : Character.digit(b[k], 16);
            if (digit < 0) {
                return -1;
            }
            r = r << 4 | digit;
        }
        return r;
    }

    /** The bytes of the string that was read last. */
    byte[] text() {
        if (!escaped) {
            return java.util.Arrays.copyOfRange(b, from, to);
        }
        ByteArrayOutputStream out = new ByteArrayOutputStream(to - from);
        for (int k = from; k < to; ) {
            if (b[k] != '\\') {
                out.write(b[k++]);
                continue;
            }
            int n = escapeLength(k);
            switch (b[k + 1]) {
                case 'b' -> out.write('\b');
                case 'f' -> out.write('\f');
                case 'n' -> out.write('\n');
                case 'r' -> out.write('\r');
                case 't' -> out.write('\t');
                case 'u' -> {
                    int r = hex(k);
                    if (n == 12) {
                        r = Character.toCodePoint((char) r, (char) hex(k + 6));
                    }
                    byte[] encoded = new String(Character.toChars(r)).getBytes(java.nio.charset.StandardCharsets.UTF_8);
                    out.write(encoded, 0, encoded.length);
                }
                default -> out.write(b[k + 1]);
            }
            k += n;
        }
        return out.toByteArray();
    }

    /** Consumes a number; whole says that it has neither fraction nor exponent. */
    void number() {
        int start = i, k = i;
        from = to = start;
        whole = false;
        if (b[k] == '-') {
            k++;
        }
        int digits = k;
        k = skipDigits(k);
        if (k == digits || b[digits] == '0' && k > digits + 1) {
            fail("wrong number");
            return;
        }
        boolean plain = true;
        if (k < b.length && b[k] == '.') {
            plain = false;
            int f = k + 1;
            k = skipDigits(f);
            if (k == f) {
                fail("wrong number");
                return;
            }
        }
        if (k < b.length && (b[k] == 'e' || b[k] == 'E')) {
            plain = false;
            k++;
            if (k < b.length && (b[k] == '+' || b[k] == '-')) {
                k++;
            }
            int f = k;
            k = skipDigits(f);
            if (k == f) {
                fail("wrong number");
                return;
            }
        }
        i = k;
        from = start;
        to = k;
        whole = plain;
    }

    private int skipDigits(int k) {
        while (k < b.length && b[k] >= '0' && b[k] <= '9') {
            k++;
        }
        return k;
    }

    /** Consumes one value of any kind, with depth objects and arrays around it. */
    void skip(int depth) {
        Kind kind = kind();
        if (depth >= MAX_DEPTH && (kind == Kind.OBJECT || kind == Kind.ARRAY)) {
            fail("nested deeper than " + MAX_DEPTH);
            return;
        }
        switch (kind) {
            case OBJECT -> {
                i++;
                for (boolean first = true; key(first); first = false) {
                    skip(depth + 1);
                }
            }
            case ARRAY -> {
                i++;
                for (boolean first = true; element(first); first = false) {
                    skip(depth + 1);
                }
            }
            case TEXT -> string();
            case NUMBER -> number();
            case LITERAL -> literal();
            default -> fail("wants a value");
        }
    }

    private void literal() {
        for (String word : new String[] {"true", "false", "null"}) {
            if (b.length - i >= word.length() && word.equals(new String(b, i, word.length(), java.nio.charset.StandardCharsets.ISO_8859_1))) {
                i += word.length();
                return;
            }
        }
        fail("wants true, false or null");
    }
}
