"""msal itself, over a wire that answers as Entra does."""

from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qs

import httpx
import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from cloud.entra import ClientCertificate, ClientSecret, ManagedIdentityApp, MsalApp
from cloud.errors import TokenRefused, TokenUnavailable
from kernel.errors import SettingInvalid

AUTHORITY = "https://login.example.com/6f1e2d3c-0009-4000-8000-00000000000e"
SCOPE = "https://graph.example.com/.default"
SECRET = "s3cret~value"


class Entra:
    """Answers discovery, then the token request by `reply`; keeps the forms and the hosts."""

    def __init__(self, reply: httpx.Response | Exception | None = None) -> None:
        self.reply = reply or httpx.Response(
            200, json={"access_token": "t1", "expires_in": 3599, "token_type": "Bearer"}
        )
        self.forms: list[dict[str, str]] = []
        self.urls: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.urls.append(str(request.url))
        if request.method == "GET":
            return httpx.Response(
                200,
                json={
                    "token_endpoint": f"{AUTHORITY}/oauth2/v2.0/token",
                    "authorization_endpoint": f"{AUTHORITY}/oauth2/v2.0/authorize",
                    "issuer": f"{AUTHORITY}/v2.0",
                },
            )
        form = parse_qs(request.content.decode())
        self.forms.append({name: values[0] for name, values in form.items()})
        if isinstance(self.reply, Exception):
            raise self.reply
        return httpx.Response(self.reply.status_code, content=self.reply.content)

    @property
    def client(self) -> httpx.Client:
        return httpx.Client(transport=httpx.MockTransport(self))


def an_app(entra: Entra, credential: ClientSecret | ClientCertificate | None = None) -> MsalApp:
    return MsalApp(
        authority=AUTHORITY,
        client_id="app-1",
        credential=credential or ClientSecret(SECRET),
        http=entra.client,
    )


def refusal(number: int, description: str) -> httpx.Response:
    body = {"error": "invalid_client", "error_description": description, "error_codes": [number]}
    return httpx.Response(400, json={**body, "trace_id": "trace-1"})


@pytest.fixture(scope="module")
def key_pair(tmp_path_factory) -> tuple[Path, rsa.RSAPublicKey]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "guard.contoso.com")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime(2026, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2030, 1, 1, tzinfo=UTC))
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("pem") / "app.pem"
    file.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return file, key.public_key()


class TestSecret:
    def test_a_token_is_asked_for_by_client_credentials_and_nobody_else_is_asked(self) -> None:
        entra = Entra()
        assert an_app(entra).fetch(SCOPE)["access_token"] == "t1"
        (form,) = entra.forms
        assert form["grant_type"] == "client_credentials"
        assert (form["client_id"], form["client_secret"]) == ("app-1", SECRET)
        assert form["scope"] == SCOPE
        assert all(url.startswith("https://login.example.com/") for url in entra.urls)

    def test_a_refusal_has_its_code_and_mend_but_never_the_secret(self) -> None:
        text = f"AADSTS7000215: Invalid client secret '{SECRET}' provided.\r\nTrace ID: x"
        with pytest.raises(TokenRefused) as raised:
            an_app(Entra(refusal(7000215, text))).fetch(SCOPE)
        error = raised.value
        assert error.service_code == "AADSTS7000215"
        assert "secret" in str(error.hint)
        assert error.request_id == "trace-1"
        assert SECRET not in f"{error} {error.excerpt} {error.hint} {error.context}"
        assert SECRET not in repr(ClientSecret(SECRET))

    def test_a_corrected_refusal_is_not_repeated_from_a_cache(self) -> None:
        entra = Entra(refusal(700016, "AADSTS700016: no such app"))
        app = an_app(entra)
        with pytest.raises(TokenRefused):
            app.fetch(SCOPE)
        entra.reply = Entra().reply
        assert app.fetch(SCOPE)["access_token"] == "t1"

    @pytest.mark.parametrize(
        "reply", [httpx.Response(503, text="busy"), httpx.ConnectError("nobody listens")]
    )
    def test_silence_is_not_a_refusal(self, reply) -> None:
        with pytest.raises(TokenUnavailable) as raised:
            an_app(Entra(reply)).fetch(SCOPE)
        assert raised.value.transient

    def test_an_authority_that_is_none_is_told_with_its_setting(self) -> None:
        client = httpx.Client(transport=httpx.MockTransport(lambda _: httpx.Response(404)))
        app = MsalApp(
            authority=AUTHORITY, client_id="x", credential=ClientSecret(SECRET), http=client
        )
        with pytest.raises(TokenRefused) as raised:
            app.fetch(SCOPE)
        assert "AUTHORITY_URL" in str(raised.value.hint)


class TestCertificate:
    def test_the_assertion_is_sent_as_text_and_signed_by_the_key(self, key_pair) -> None:
        file, public_key = key_pair
        entra = Entra()
        an_app(entra, ClientCertificate(file)).fetch(SCOPE)
        (form,) = entra.forms
        claims = jwt.decode(
            form["client_assertion"],
            public_key,
            algorithms=["PS256", "RS256"],
            audience=f"{AUTHORITY}/oauth2/v2.0/token",
        )
        assert (claims["iss"], claims["sub"]) == ("app-1", "app-1")
        assert jwt.get_unverified_header(form["client_assertion"])["x5c"]
        assert "client_secret" not in form

    def test_a_file_without_both_parts_names_itself(self, tmp_path, key_pair) -> None:
        half = tmp_path / "half.pem"
        half.write_text(key_pair[0].read_text().split("-----BEGIN PRIVATE")[0])
        for file in (half, tmp_path / "absent.pem"):
            with pytest.raises(SettingInvalid, match=file.name):
                an_app(Entra(), ClientCertificate(file)).fetch(SCOPE)


class TestManagedIdentity:
    def test_the_machines_identity_is_asked_for_the_resource(self) -> None:
        urls: list[httpx.URL] = []

        def imds(request: httpx.Request) -> httpx.Response:
            urls.append(request.url)
            body = {"access_token": "mi", "expires_in": "3600", "resource": "r"}
            return httpx.Response(200, json=body)

        app = ManagedIdentityApp(
            client_id="id-1", http=httpx.Client(transport=httpx.MockTransport(imds))
        )
        assert app.fetch(SCOPE)["access_token"] == "mi"
        assert urls[0].params["resource"] == "https://graph.example.com"
        assert urls[0].params["client_id"] == "id-1"

    def test_no_identity_is_told_with_the_other_ways(self) -> None:
        def nobody(request: httpx.Request) -> httpx.Response:
            raise httpx.ConnectError("no route")

        app = ManagedIdentityApp(http=httpx.Client(transport=httpx.MockTransport(nobody)))
        with pytest.raises(TokenUnavailable):
            app.fetch(SCOPE)
