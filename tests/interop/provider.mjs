// An identity provider of npm behind an HTTPS server on loopback.
//
// tests/it/interop/provider.rs gives it to Node.js as text, in the folder that has node_modules, with the arguments
//
//   oidc-provider | oauth2-mock-server   ALGORITHM[,ALGORITHM...]   CERTIFICATE-FILE   KEY-FILE
//
// Prints its issuer, then answers each line of standard input with a line of JSON:
//
//   token AUDIENCE   a token, by a grant (client_credentials) over HTTPS
//   publish          a new key stands in the set; the old one signs (oidc-provider only)
//   sign             the new key signs; the old one stands in the set (oidc-provider only)
//   retire           the old key goes (oidc-provider only)
//
// It ends with its standard input.

import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import https from 'node:https';
import { createInterface } from 'node:readline';

// Standard output is for answers only.
console.info = console.warn;

const [kind, algorithms, certificateFile, keyFile] = process.argv.slice(-4);
const [certificate, key] = [certificateFile, keyFile].map((file) => readFileSync(file));
const AUTHENTICATION = `Basic ${Buffer.from('interop:interop').toString('base64')}`;

let handler;
const server = https.createServer({ cert: certificate, key }, (request, response) => handler(request, response));
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
const issuer = `https://127.0.0.1:${server.address().port}`;

// By a grant; both have their token endpoint here.
async function token(parameters) {
  const body = new URLSearchParams({ grant_type: 'client_credentials', ...parameters }).toString();
  const options = {
    method: 'POST',
    // The certificate's authority stands behind it in the file.
    ca: certificate,
    headers: { authorization: AUTHENTICATION, 'content-type': 'application/x-www-form-urlencoded' },
  };
  const answer = await new Promise((resolve, reject) => {
    const request = https.request(`${issuer}/token`, options, async (response) => {
      const chunks = await response.toArray();
      resolve({ status: response.statusCode, text: Buffer.concat(chunks).toString() });
    });
    request.on('error', reject).end(body);
  });
  if (answer.status !== 200) throw new Error(`${answer.status} ${answer.text}`);
  return JSON.parse(answer.text).access_token;
}

const NEW_KEY = {
  RS256: () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
  ES256: () => generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  EdDSA: () => generateKeyPairSync('ed25519'),
};

async function oidcProvider() {
  const { Provider } = await import('oidc-provider');
  const alg = algorithms;
  const newKey = () => {
    const { privateKey } = NEW_KEY[alg]();
    return { ...privateKey.export({ format: 'jwk' }), kid: randomUUID(), alg, use: 'sig' };
  };
  // Of the keys that can sign, the first one does.
  let keys = [newKey()];
  const serve = () => {
    const provider = new Provider(issuer, {
      clients: [
        {
          client_id: 'interop',
          client_secret: 'interop',
          grant_types: ['client_credentials'],
          redirect_uris: [],
          response_types: [],
        },
      ],
      cookies: { keys: ['interop'] },
      features: {
        clientCredentials: { enabled: true },
        devInteractions: { enabled: false },
        resourceIndicators: {
          enabled: true,
          getResourceServerInfo: (_context, audience) => ({
            audience,
            scope: '',
            accessTokenFormat: 'jwt',
            accessTokenTTL: 300,
            jwt: { sign: { alg } },
          }),
        },
      },
      jwks: { keys },
      // An ID token's default, RS256, needs an RSA key.
      clientDefaults: { id_token_signed_response_alg: alg },
    });
    handler = provider.callback();
  };
  const change = (changed) => {
    keys = changed;
    serve();
    return keys.map((key) => key.kid);
  };
  serve();
  return {
    token: (audience) => token({ resource: audience }),
    publish: () => change([...keys, newKey()]),
    sign: () => change([...keys].reverse()),
    retire: () => change(keys.slice(0, 1)),
  };
}

async function oauth2MockServer() {
  const { OAuth2Issuer, OAuth2Service } = await import('oauth2-mock-server');
  const mock = new OAuth2Issuer();
  mock.url = issuer;
  // Each signs in its turn.
  for (const algorithm of algorithms.split(',')) await mock.keys.generate(algorithm);
  handler = new OAuth2Service(mock).requestHandler;
  return { token: (audience) => token({ aud: audience }) };
}

const commands = await { 'oidc-provider': oidcProvider, 'oauth2-mock-server': oauth2MockServer }[kind]();
console.log(JSON.stringify(issuer));
for await (const line of createInterface({ input: process.stdin })) {
  const [command, ...rest] = line.split(' ');
  console.log(JSON.stringify(await commands[command](...rest)));
}
process.exit();
