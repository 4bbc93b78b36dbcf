// A member's client, typed by the API description alone: signs in, reads, is refused. Run by test_typescript.py.
import createClient from "openapi-fetch";
import type { components, paths } from "./schema.js";

declare const process: { env: Record<string, string | undefined> };
const { BASE_URL: baseUrl = "", EMAIL: email = "", PASSWORD: password = "" } = process.env;

const client = createClient<paths>({ baseUrl });

const signedIn = await client.POST("/api/v1/core/auth/login", { body: { email, password } });
const token: string | undefined = signedIn.data?.data?.access_token;
if (!token) throw new Error(`no token: ${JSON.stringify(signedIn.error)}`);
client.use({
  onRequest({ request }) {
    request.headers.set("Authorization", `Bearer ${token}`);
    return request;
  },
});

const me = await client.GET("/api/v1/core/me");
const wallets = await client.GET("/api/v1/wallet/assets", { params: { query: { limit: 2 } } });
const refused = await client.POST("/api/v1/core/auth/login", { body: { email, password: "wrong" } });
const failure: components["schemas"]["Failure"] | undefined = refused.error;

type Credentials = components["schemas"]["Credentials"];
// @ts-expect-error: a field that the description does not know is refused by the compiler
const unknown: Credentials = { email, password, surname: "x" };
// @ts-expect-error: and so is a path
type Nowhere = paths["/api/v1/nowhere"];

console.log(
  JSON.stringify({
    name: me.data?.data?.display_name,
    assets: wallets.data?.data?.length,
    next: wallets.data?.meta.page?.["next_cursor"] != null,
    refused: failure?.error.code,
  }),
);
