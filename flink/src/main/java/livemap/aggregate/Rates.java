package livemap.aggregate;

import java.math.BigDecimal;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import livemap.orders.Times;

/**
 * Dated exchange rates in the layout of the European Central Bank's history: a header Date,USD,JPY,…, then a
 * line per day with the units of each currency per euro; N/A or nothing means no rate. A day's line applies
 * until the next day that has one.
 */
public final class Rates {
    private static final int MAX_DIGITS = 24;
    private final TreeMap<Long, Map<String, BigDecimal>> days = new TreeMap<>();
    private final Set<String> currencies = new HashSet<>(Set.of("EUR"));

    /** Parses a file. The message of the exception names the line. */
    public static Rates parse(String text) {
        Rates rates = new Rates();
        String[] lines = text.split("\r?\n");
        String[] header = split(lines[0]);
        if (!header[0].replace("\ufeff", "").equals("Date")) {
            throw new IllegalArgumentException("rates: header begins with \"" + header[0] + "\", want Date");
        }
        Set<String> seen = new HashSet<>();
        for (int i = 1; i < header.length; i++) {
            String name = header[i];
            if (!name.isEmpty() && (!Currencies.form(name) || name.equals("EUR") || !seen.add(name))) {
                throw new IllegalArgumentException("rates: header column " + (i + 1) + " is \"" + name + "\", want a currency code, each once");
            }
        }
        for (int n = 1; n < lines.length; n++) {
            if (!lines[n].isBlank()) {
                rates.line(header, split(lines[n]), n + 1);
            }
        }
        if (rates.days.isEmpty()) {
            throw new IllegalArgumentException("rates: no line with rates");
        }
        return rates;
    }

    private static String[] split(String line) {
        String[] fields = line.split(",", -1);
        for (int i = 0; i < fields.length; i++) {
            fields[i] = fields[i].strip();
            if (fields[i].length() > 1 && fields[i].startsWith("\"") && fields[i].endsWith("\"")) {
                fields[i] = fields[i].substring(1, fields[i].length() - 1).strip();
            }
        }
        return fields;
    }

    private void line(String[] header, String[] fields, int number) {
        long at = fields[0].matches("\\d{4}-\\d{2}-\\d{2}") ? Times.parse(fields[0] + "T00:00:00Z") : Times.NONE;
        if (at == Times.NONE) {
            throw new IllegalArgumentException("rates: line " + number + ": date \"" + fields[0] + "\" is not like 2026-11-27");
        }
        Map<String, BigDecimal> day = new HashMap<>(Map.of("EUR", BigDecimal.ONE));
        for (int i = 1; i < fields.length; i++) {
            if (fields[i].isEmpty() || fields[i].equals("N/A")) {
                continue;
            }
            if (i >= header.length || header[i].isEmpty()) {
                throw new IllegalArgumentException("rates: line " + number + ": column " + (i + 1) + " holds \"" + fields[i] + "\" but has no currency in the header");
            }
            if (fields[i].length() > MAX_DIGITS || !fields[i].matches("\\d+\\.?\\d*|\\.\\d+") || new BigDecimal(fields[i]).signum() <= 0) {
                throw new IllegalArgumentException("rates: line " + number + ": " + header[i] + " rate \"" + fields[i] + "\" is not a positive decimal number");
            }
            day.put(header[i], new BigDecimal(fields[i]));
        }
        if (days.put(Math.floorDiv(at, 86_400_000L), day) != null) {
            throw new IllegalArgumentException("rates: line " + number + " has the same date as one before");
        }
        currencies.addAll(day.keySet());
    }

    boolean knows(String currency) {
        return currencies.contains(currency);
    }

    /** Units per euro on a day since 1970, or null where there is no rate. */
    BigDecimal perEuro(String currency, long day) {
        Map.Entry<Long, Map<String, BigDecimal>> line = days.floorEntry(day);
        return line == null ? null : line.getValue().get(currency);
    }
}
