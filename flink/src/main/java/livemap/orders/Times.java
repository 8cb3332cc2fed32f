package livemap.orders;

import java.nio.charset.StandardCharsets;

/** Points in time: milliseconds since 1970 and RFC 3339, rounded down to the millisecond. */
public final class Times {
    /** The years that RFC 3339 can write, 0 to 9999. */
    public static final long MIN = -62_167_219_200_000L;
    public static final long MAX = 253_402_300_799_999L;
    public static final String EXAMPLE = "2026-11-27T00:00:00.000Z";
    /** What {@link #parse} returns for what is no time. */
    public static final long NONE = Long.MIN_VALUE;

    private Times() {}

    /** Writes a time such as 2026-11-27T00:00:00.000Z. */
    public static void append(StringBuilder b, long t) {
        long days = Math.floorDiv(t, 86_400_000L);
        int rest = (int) Math.floorMod(t, 86_400_000L);
        // The inverse of daysSinceEpoch (Hinnant, civil_from_days).
        long z = days + 719_468;
        long era = Math.floorDiv(z, 146_097L);
        long ofEra = z - era * 146_097;
        long yearOfEra = (ofEra - ofEra / 1460 + ofEra / 36_524 - ofEra / 146_096) / 365;
        long ofYear = ofEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100);
        long shifted = (5 * ofYear + 2) / 153;
        int day = (int) (ofYear - (153 * shifted + 2) / 5 + 1);
        int month = (int) (shifted < 10 ? shifted + 3 : shifted - 9);
        int year = (int) (yearOfEra + era * 400 + (month <= 2 ? 1 : 0));
        digits(b, year, 4).append('-');
        digits(b, month, 2).append('-');
        digits(b, day, 2).append('T');
        digits(b, rest / 3_600_000, 2).append(':');
        digits(b, rest / 60_000 % 60, 2).append(':');
        digits(b, rest / 1000 % 60, 2).append('.');
        digits(b, rest % 1000, 3).append('Z');
    }

    public static String format(long t) {
        StringBuilder b = new StringBuilder(24);
        append(b, t);
        return b.toString();
    }

    private static StringBuilder digits(StringBuilder b, int n, int width) {
        for (int power = width == 4 ? 1000 : width == 3 ? 100 : 10; power > 0; power /= 10) {
            b.append((char) ('0' + n / power % 10));
        }
        return b;
    }

    public static long parse(String s) {
        return parse(s.getBytes(StandardCharsets.UTF_8));
    }

    /** Reads an RFC 3339 time, or returns {@link #NONE}. Seconds of 60 and years beyond four digits are none. */
    public static long parse(byte[] b) {
        if (b.length < 20 || b[4] != '-' || b[7] != '-' || b[10] != 'T' || b[13] != ':' || b[16] != ':') {
            return NONE;
        }
        int year = number(b, 0, 4), month = number(b, 5, 7), day = number(b, 8, 10);
        int hour = number(b, 11, 13), minute = number(b, 14, 16), second = number(b, 17, 19);
        if ((year | month | day | hour | minute | second) < 0 || month < 1 || month > 12 || day < 1
                || day > daysIn(year, month) || hour > 23 || minute > 59 || second > 59) {
            return NONE;
        }
        int i = 19, millis = 0;
        if (b[i] == '.') {
            int from = ++i;
            while (i < b.length && b[i] >= '0' && b[i] <= '9') {
                int place = i - from;
                millis += place == 0 ? (b[i] - '0') * 100 : place == 1 ? (b[i] - '0') * 10 : place == 2 ? b[i] - '0' : 0;
                i++;
            }
            if (i == from) {
                return NONE;
            }
        }
        long offset = offset(b, i);
        if (offset == NONE) {
            return NONE;
        }
        long t = (daysSinceEpoch(year, month, day) * 86_400 + hour * 3600L + minute * 60L + second - offset) * 1000 + millis;
        return t >= MIN && t <= MAX ? t : NONE;
    }

    /** Reads Z or an offset such as +02:00 that ends b; the result is in seconds. */
    private static long offset(byte[] b, int i) {
        if (i == b.length - 1 && b[i] == 'Z') {
            return 0;
        }
        if (i != b.length - 6 || b[i] != '+' && b[i] != '-' || b[i + 3] != ':') {
            return NONE;
        }
        int hours = number(b, i + 1, i + 3), minutes = number(b, i + 4, i + 6);
        if (hours < 0 || minutes < 0 || hours > 23 || minutes > 59) {
            return NONE;
        }
        long seconds = hours * 3600L + minutes * 60L;
        return b[i] == '-' ? -seconds : seconds;
    }

    private static int number(byte[] b, int from, int to) {
        int n = 0;
        for (int i = from; i < to; i++) {
            if (b[i] < '0' || b[i] > '9') {
                return -1;
            }
            n = n * 10 + b[i] - '0';
        }
        return n;
    }

    private static int daysIn(int year, int month) {
        return switch (month) {
            case 4, 6, 9, 11 -> 30;
            case 2 -> year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28;
            default -> 31;
        };
    }

    /** Days in the proleptic Gregorian calendar (Hinnant, days_from_civil). */
    public static long daysSinceEpoch(long year, int month, int day) {
        if (month <= 2) {
            year--;
            month += 12;
        }
        long ofYear = (153L * (month - 3) + 2) / 5 + day - 1;
        long era = Math.floorDiv(year, 400L);
        long yearOfEra = year - era * 400;
        long ofEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + ofYear;
        return era * 146_097 + ofEra - 719_468;
    }
}
