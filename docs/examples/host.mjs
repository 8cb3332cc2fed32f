// A host server in Node, without packages: whoever is logged in to the shop gets
// a token for the map. Run with:
//   LISTEN=127.0.0.1:3000 LIVEMAP_HS256_KEY_FILE=map.key node docs/examples/host.mjs
//   livemap serve --hs256-key-file map.key --issuer https://shop.example --audience livemap …
import { createHmac } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'

const secret = readFileSync(process.env.LIVEMAP_HS256_KEY_FILE, 'utf8').trim()
const base64 = (value) => Buffer.from(JSON.stringify(value)).toString('base64url')
const mint = (claims) => {
  const signed = base64({ alg: 'HS256', typ: 'JWT' }) + '.' + base64(claims)
  return signed + '.' + createHmac('sha256', secret).update(signed).digest('base64url')
}
const [host, port] = process.env.LISTEN.split(':')

createServer((request, response) => {
  const user = request.headers['x-user'] // in truth: from the session of your shop
  if (request.method !== 'POST' || request.url !== '/map-token') return response.writeHead(404).end()
  if (!user) return response.writeHead(401).end('log in first')
  response.setHeader('Cache-Control', 'no-store').end(mint({
    iss: 'https://shop.example', aud: 'livemap', sub: user, exp: Math.floor(Date.now() / 1000) + 15 * 60,
    livemap: { topics: ['metrics', 'shipments'], keys: ['world', 'shop/{sub}'] },
  }))
}).listen(Number(port), host)
