package livemap.orders;

import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;

/** UTF-8 as Go sees it: order of bytes, validity, cuts between characters. */
public final class Utf8 {
    private Utf8() {}

    public static boolean valid(byte[] b, int from, int to) {
        try {
            StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(b, from, to - from));
            return true;
        } catch (CharacterCodingException e) {
            return false;
        }
    }

    /** Compares as the UTF-8 bytes compare, which UTF-16 does not for characters beyond its first plane. */
    public static int compare(String x, String y) {
        int n = Math.min(x.length(), y.length());
        for (int i = 0; i < n; i++) {
            char a = x.charAt(i), c = y.charAt(i);
            if (a != c) {
                boolean wideA = Character.isSurrogate(a), wideC = Character.isSurrogate(c);
                return wideA == wideC ? a - c : wideA ? 1 : -1;
            }
        }
        return x.length() - y.length();
    }

    /** Cuts s to at most n bytes without splitting a character. */
    public static String cut(String s, int n) {
        if (s.length() * 3 <= n) {
            return s;
        }
        byte[] b = s.getBytes(StandardCharsets.UTF_8);
        if (b.length <= n) {
            return s;
        }
        while (n > 0 && (b[n] & 0xC0) == 0x80) {
            n--;
        }
        return new String(b, 0, n, StandardCharsets.UTF_8);
    }

    /**
     * Quotes the beginning of b for a message, as Go's strconv.Quote does. What Java and Go may take for
     * printable differently (characters younger than either's Unicode tables) is the one difference.
     */
    static String excerpt(byte[] b) {
        int most = 40;
        if (b.length <= most) {
            return quote(b, b.length);
        }
        return quote(b, most) + "…";
    }

    private static String quote(byte[] b, int n) {
        StringBuilder out = new StringBuilder("\"");
        for (int i = 0; i < n; ) {
            int size = characterAt(b, i, n);
            if (size == 0) {
                out.append(String.format("\\x%02x", b[i] & 0xff));
                i++;
                continue;
            }
            int c = new String(b, i, size, StandardCharsets.UTF_8).codePointAt(0);
            i += size;
            switch (c) {
                case '"', '\\' -> out.append('\\').append((char) c);
                case 7 -> out.append("\\a");
                case '\b' -> out.append("\\b");
                case '\f' -> out.append("\\f");
                case '\n' -> out.append("\\n");
                case '\r' -> out.append("\\r");
                case '\t' -> out.append("\\t");
                case 11 -> out.append("\\v");
                default -> {
                    if (printable(c)) {
                        out.appendCodePoint(c);
                    } else if (c < ' ' || c == 0x7f) {
                        out.append(String.format("\\x%02x", c));
                    } else {
                        out.append(c < 0x10000 ? String.format("\\u%04x", c) : String.format("\\U%08x", c));
                    }
                }
            }
        }
        return out.append('"').toString();
    }

    private static int characterAt(byte[] b, int i, int n) {
        for (int size = 1; size <= 4 && i + size <= n; size++) {
            if (valid(b, i, i + size)) {
                return size;
            }
        }
        return 0;
    }

    private static boolean printable(int c) {
        return c == ' ' || switch (Character.getType(c)) {
            case Character.CONTROL, Character.FORMAT, Character.SURROGATE, Character.PRIVATE_USE, Character.UNASSIGNED,
                Character.LINE_SEPARATOR, Character.PARAGRAPH_SEPARATOR, Character.SPACE_SEPARATOR -> false;
            default -> true;
        };
    }
}
