import pytest

from cloud.origins import (
    CLOUDS,
    authority_url,
    dataverse_service,
    graph_service,
    origin_of,
)
from kernel.errors import SettingInvalid


class TestServices:
    @pytest.mark.parametrize(
        "url",
        [
            "https://graph.example.com",
            "https://graph.example.com/",
            "https://GRAPH.example.com:443/v1.0/",
            "https://graph.example.com/v1.0",
        ],
    )
    def test_the_path_is_added_when_absent(self, url) -> None:
        service = graph_service(url)
        assert service.base_url == "https://graph.example.com/v1.0"
        assert service.scope == "https://graph.example.com/.default"
        assert service.origin == "https://graph.example.com"

    def test_a_proxy_may_have_a_path_and_a_port(self) -> None:
        service = dataverse_service("https://127.0.0.1:8443/org")
        assert service.base_url == "https://127.0.0.1:8443/org/api/data/v9.2"
        assert service.scope == "https://127.0.0.1:8443/.default"

    def test_a_scope_may_be_set(self) -> None:
        assert graph_service(None, scope="api://x/.default").scope == "api://x/.default"

    def test_each_cloud_has_its_graph(self) -> None:
        for cloud, hosts in CLOUDS.items():
            assert graph_service(None, cloud=cloud).origin == hosts.graph
        assert graph_service(None, cloud="gcc-high").scope == "https://graph.microsoft.us/.default"

    @pytest.mark.parametrize(
        "url", ["", "graph.example.com", "ftp://x", "https://a:b@c", "https://x:y"]
    )
    def test_what_is_no_url_names_the_setting(self, url) -> None:
        with pytest.raises(SettingInvalid, match="_DATAVERSE_URL"):
            dataverse_service(url)

    def test_an_unknown_cloud_is_named_with_the_known_ones(self) -> None:
        with pytest.raises(SettingInvalid) as raised:
            graph_service(None, cloud="mars")
        assert "gcc-high" in str(raised.value.hint)


class TestAuthority:
    def test_it_carries_the_tenant(self) -> None:
        assert authority_url(None, tenant_id="t") == "https://login.microsoftonline.com/t"
        assert authority_url("https://h:1/t/", tenant_id=None) == "https://h:1/t"
        assert authority_url("https://h:1", tenant_id="t") == "https://h:1/t"

    @pytest.mark.parametrize(("url", "tenant"), [("http://h/t", "t"), ("https://h", None)])
    def test_http_or_no_tenant_is_refused(self, url, tenant) -> None:
        with pytest.raises(SettingInvalid, match="AUTHORITY_URL"):
            authority_url(url, tenant_id=tenant)


class TestOrigins:
    def test_default_ports_and_capitals_do_not_matter(self) -> None:
        assert origin_of("HTTPS://Graph.Example.com:443/x") == "https://graph.example.com"
        assert origin_of("http://[::1]:80/") == "http://[::1]"
        assert origin_of("https://h:444/") == "https://h:444"
