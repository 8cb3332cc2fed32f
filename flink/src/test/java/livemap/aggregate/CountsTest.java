package livemap.aggregate;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.HashMap;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;

class CountsTest {
    @Test
    void countsAsAMapDoes() {
        Random random = new Random(1);
        Counts counts = new Counts();
        Map<Long, Long> map = new HashMap<>();
        for (int i = 0; i < 200_000; i++) {
            long key = (long) (1 + random.nextInt(500)) << (random.nextBoolean() ? 16 : 32), n = random.nextInt(7) - 3;
            long sum = map.merge(key, n, Long::sum);
            assertEquals(sum, counts.add(key, n));
            if (sum == 0) {
                map.remove(key);
            }
            assertEquals(map.size(), counts.size());
            if (i % 1000 == 0) {
                Map<Long, Long> seen = new HashMap<>();
                counts.forEach(seen::put);
                assertEquals(map, seen);
            }
            if (i % 30_000 == 29_999) {
                counts.clear();
                map.clear();
            }
        }
    }
}
